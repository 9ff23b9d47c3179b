/*
 * Mode `meanwhile`: what a session notices of another one that logs in to a maildrop of very many
 * messages. The onlooker says NOOP once a millisecond, first while the server has nothing else to
 * do, then from the first octet of the other's PASS until the reply to its STAT is there.
 */
#include "load.h"

#include <stdio.h>
#include <unistd.h>

enum {
	WARM_UP = 500,
};

static int run(const struct options *options, struct pulse *pulse, int other)
{
	char pass[LOAD_COMMAND_MAX];
	struct reply reply;

	load_pass_line(options, pass);
	pulse_begin(pulse);
	if (pulse_many(pulse, WARM_UP) < 0)
		return -1;
	pulse_begin(pulse);
	if (pulse_many(pulse, options->count) < 0)
		return -1;
	pulse_print(pulse, "idle");
	pulse_begin(pulse);
	if (pulse_until_answered(pulse, other, pass) < 0 ||
	    pulse_until_answered(pulse, other, "STAT\r\n") < 0)
		return -1;
	pulse_print(pulse, "busy");
	printf("\n");
	return dialog_ask(other, "QUIT\r\n", &reply, false);
}

int mode_meanwhile(const struct options *options)
{
	static struct pulse pulse;
	int other = dialog_greet(options, LOAD_OWNER);
	int status = 1;

	pulse.fd = dialog_open(options, LOAD_ONLOOKER);
	if (options->count == 0 || options->count > LOAD_PULSES_MAX)
		fprintf(stderr, "loadgen: count: 1 to %d\n", LOAD_PULSES_MAX);
	else if (pulse.fd >= 0 && other >= 0)
		status = run(options, &pulse, other) == 0 ? 0 : 1;
	if (other >= 0)
		close(other);
	if (pulse.fd >= 0)
		close(pulse.fd);
	return status;
}
