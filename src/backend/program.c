/* See program.h. posix_spawn(3), since fork(2) in a process with threads and much memory is slow
 * and may be used for little. */
#include "backend/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the program reads from. */
#define READING 3

/* ---- The command ---- */

struct command {
	char *text; /* cut into words */
	char *words[PROGRAM_WORDS_MAX + 1];
};

static int command_init(struct command *command, const char *text)
{
	size_t count = 0;
	*command = (struct command){.text = strdup(text)};
	if (command->text == NULL)
		return -ENOMEM;
	for (char *c = command->text + strspn(command->text, " "); *c != '\0';
	     c += strspn(c, " ")) {
		if (count == PROGRAM_WORDS_MAX) {
			free(command->text);
			return -E2BIG;
		}
		command->words[count++] = c;
		c += strcspn(c, " ");
		if (*c != '\0')
			*c++ = '\0';
	}
	if (count > 0)
		return 0;
	free(command->text);
	return -EINVAL;
}

static void command_fini(struct command *command)
{
	free(command->text);
}

static const char *check_file(const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "is not a regular file";
	if ((status.st_mode & S_IWOTH) != 0)
		return "can be written by everybody";
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
		return "cannot be executed";
	return NULL;
}

const char *program_check(const char *text)
{
	struct command command;
	int result = command_init(&command, text);
	if (result != 0)
		return strerror(-result);
	const char *wrong = check_file(command.words[0]);
	command_fini(&command);
	return wrong;
}

/* ---- The pipe ---- */

/* Descriptors that the program will have as others must not be among these. */
static int raise_descriptor(int descriptor)
{
	if (descriptor > READING)
		return descriptor;
	int raised = fcntl(descriptor, F_DUPFD_CLOEXEC, READING + 1);
	int error = errno;
	close(descriptor);
	errno = error;
	return raised;
}

/* A program that does not read must not keep us beyond its time, so writing does not block. */
static int open_pipe(int *reading, int *writing)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	int raised = raise_descriptor(ends[0]);
	if (raised >= 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0) {
		*reading = raised;
		*writing = ends[1];
		return 0;
	}
	int error = errno;
	close(ends[1]);
	if (raised >= 0)
		close(raised);
	return -error;
}

/* ---- The process ---- */

static int add_actions(posix_spawn_file_actions_t *actions, int reading)
{
	int error = posix_spawn_file_actions_adddup2(actions, reading, READING);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null",
							 O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null",
							 O_WRONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	/* All of ours are closed by exec(3) anyway; here goes what the server was started with. */
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, READING + 1);
#endif
	return error;
}

/* Signals as they are for a program that was just started; we ignore or block some. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	int error = posix_spawnattr_setsigdefault(attributes, &all);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (error == 0)
		error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF |
								     POSIX_SPAWN_SETSIGMASK |
								     POSIX_SPAWN_SETPGROUP);
	return error;
}

static int spawn_with(const struct command *command, const posix_spawn_file_actions_t *actions,
		      const posix_spawnattr_t *attributes, pid_t *pid)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const environment[] = {path, NULL};
	return posix_spawn(pid, command->words[0], actions, attributes, command->words,
			   environment);
}

static int spawn(const struct command *command, int reading, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		error = add_actions(&actions, reading);
		if (error == 0)
			error = set_attributes(&attributes);
		if (error == 0)
			error = spawn_with(command, &actions, &attributes, pid);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static int start(const struct command *command, pid_t *pid, int *writing)
{
	int reading = -1;
	int kept = -1;
	int result = open_pipe(&reading, &kept);
	if (result != 0)
		return result;
	int error = spawn(command, reading, pid);
	close(reading);
	if (error != 0)
		close(kept);
	else
		*writing = kept;
	return -error;
}

int program_start(const char *text, pid_t *pid, int *writing)
{
	struct command command;
	int result = command_init(&command, text);
	if (result != 0)
		return result;
	result = start(&command, pid, writing);
	command_fini(&command);
	return result;
}
