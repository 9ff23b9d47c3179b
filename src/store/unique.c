/* See unique.h. The letters are those of the Maildir convention; M stands first, as the order of
 * messages follows from it. */
#include "store/unique.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* ",S=", ",W=" and two numbers. */
#define HINTS_SIZE 48
/* The longest escape of one octet. */
#define ESCAPE_LENGTH 4
#define RANDOM_MASK   ((UINT64_C(1) << 48) - 1)

/* Goes on in a child of fork(2), whose process id is another. */
static atomic_uint names;

static uint64_t random_number(void)
{
	uint64_t number = 0;
	/* Never short and never interrupted for so few octets. A kernel that has none to give
	 * leaves the count and the process id, which are enough on one machine. */
	if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
		number = 0;
	return number;
}

void unique_init(struct unique *u)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	*u = (struct unique){.seconds = (uint64_t)now.tv_sec,
			     .microseconds = (uint32_t)(now.tv_nsec / 1000),
			     .process = (uint32_t)getpid(),
			     .count = atomic_fetch_add(&names, 1),
			     .random = random_number()};
	/* One that does not fit may be cut without a NUL: the last octet stays one. */
	int result = gethostname(u->host, sizeof u->host);
	u->host[sizeof u->host - 1] = '\0';
	if (result < 0 || u->host[0] == '\0')
		memcpy(u->host, "localhost", sizeof "localhost");
}

/* Append the host, of at most `most` octets but at least one character. Returns the length. */
static size_t put_host(const char *host, size_t most, char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.-_";
	size_t length = 0;
	for (const char *c = host; *c != '\0'; c++) {
		char part[ESCAPE_LENGTH + 1] = {*c, '\0'};
		if (strchr(plain, *c) == NULL)
			snprintf(part, sizeof part, "\\%03o", (unsigned)(unsigned char)*c);
		if (length > 0 && length + strlen(part) > most)
			break;
		memcpy(text + length, part, strlen(part));
		length += strlen(part);
	}
	return length;
}

void unique_name(const struct unique *u, const struct unique_sizes *sizes,
		 char name[UNIQUE_NAME_SIZE])
{
	char hints[HINTS_SIZE] = "";
	if (sizes != NULL)
		snprintf(hints, sizeof hints, ",S=%llu,W=%llu", (unsigned long long)sizes->length,
			 (unsigned long long)sizes->octets);
	size_t length = (size_t)snprintf(name, UNIQUE_NAME_SIZE, "%llu.M%uP%uQ%uR%012llx.",
					 (unsigned long long)u->seconds, (unsigned)u->microseconds,
					 (unsigned)u->process, (unsigned)u->count,
					 (unsigned long long)(u->random & RANDOM_MASK));
	size_t others = length + strlen(hints);
	length += put_host(u->host, others < NAME_ID_MAX ? NAME_ID_MAX - others : 0, name + length);
	memcpy(name + length, hints, strlen(hints) + 1);
}
