/*
 * The terminal gets its echo back on every way out, also when a signal comes: the handler only
 * interrupts the read, then the mode is restored and the signal raised again.
 */
#include "cli/secret.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"
#include "daemon/message.h"

static const int numbers[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP};
#define NUMBERS (sizeof numbers / sizeof *numbers)

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

/* One line, octet by octet so that nothing behind it is taken. Its length, or a negative errno
 * value: -ENODATA (nothing was there), -EMSGSIZE. */
static ssize_t read_line(char *line, size_t size)
{
	size_t length = 0;
	for (;;) {
		char octet;
		ssize_t got = read(STDIN_FILENO, &octet, 1);
		if (got < 0 && errno == EINTR && interrupted == 0)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0 && length == 0)
			return -ENODATA;
		if (got == 0 || octet == '\n')
			break;
		if (length + 1 >= size)
			return -EMSGSIZE;
		line[length++] = octet;
	}
	line[length] = '\0';
	return (ssize_t)length;
}

static ssize_t read_silently(const char *prompt, char *line, size_t size)
{
	struct sigaction action = {.sa_handler = on_signal}, before[NUMBERS];
	struct termios loud;

	if (tcgetattr(STDIN_FILENO, &loud) != 0)
		return -errno;
	struct termios silent = loud;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	interrupted = 0;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < NUMBERS; i++)
		sigaction(numbers[i], &action, &before[i]);
	fprintf(stderr, "%s", prompt);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	ssize_t result = read_line(line, size);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &loud);
	fprintf(stderr, "\n");
	for (size_t i = 0; i < NUMBERS; i++)
		sigaction(numbers[i], &before[i], NULL);
	if (interrupted != 0)
		raise(interrupted);
	return result;
}

static int judge(ssize_t length)
{
	if (length >= 0)
		return 0;
	if (length == -ENODATA)
		return message(EX_DATAERR, "there is no password on stdin");
	if (length == -EMSGSIZE)
		return message(EX_DATAERR, "the password is longer than %d octets",
			       AUTH_PASSWORD_SIZE - 1);
	return message(EX_IOERR, "cannot read the password: %s", strerror((int)-length));
}

static int ask_again(const char *password, size_t length)
{
	char again[AUTH_PASSWORD_SIZE];
	ssize_t result = read_silently("again: ", again, sizeof again);
	bool same = result >= 0 && secret_equal(password, length, again, (size_t)result);
	secret_wipe(again, sizeof again);
	return same ? 0 : message(EX_DATAERR, "the passwords are not the same");
}

int secret_read(const char *prompt, bool twice, char password[AUTH_PASSWORD_SIZE], size_t *length)
{
	bool terminal = isatty(STDIN_FILENO);
	ssize_t result = terminal ? read_silently(prompt, password, AUTH_PASSWORD_SIZE)
				  : read_line(password, AUTH_PASSWORD_SIZE);
	int code = judge(result);
	if (code == 0 && terminal && twice)
		code = ask_again(password, (size_t)result);
	if (code != 0) {
		secret_wipe(password, AUTH_PASSWORD_SIZE);
		return code;
	}
	*length = (size_t)result;
	return 0;
}
