/* See cost.h. Times are those of a processor of these years. */
#include "auth/cost.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/number.h"

/* bcrypt's logarithmic cost: 10 takes 50 ms, 16 takes 4 s, each one more twice as long. */
#define BCRYPT_MIN 10u
#define BCRYPT_MAX 16u
/* Rounds of sha256crypt and sha512crypt: 5,000 is the default of 2007, ten million take 5 s. */
#define SHA_ROUNDS_STANDARD 5000u
#define SHA_ROUNDS_MIN      5000u
#define SHA_ROUNDS_MAX      10000000u
/* Octets of memory that scrypt and yescrypt fill; those that scrypt fills p times count p times. */
#define MEMORY_MIN (UINT64_C(1) << 20)
#define MEMORY_MAX (UINT64_C(512) << 20)

/* The value of a digit of crypt(5)'s base 64; 64: it is none. */
static unsigned digit(char c)
{
	static const char digits[] =
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *found = c == '\0' ? NULL : strchr(digits, c);
	return found == NULL ? 64 : (unsigned)(found - digits);
}

static enum secret_cost judge_range(uint64_t value, uint64_t least, uint64_t most)
{
	if (value < least)
		return COST_WEAK;
	return value > most ? COST_EXCESSIVE : COST_FAIR;
}

/* "$2b$12$". */
static enum secret_cost bcrypt_cost(const char *secret)
{
	const char *number = strchr(secret + 1, '$');
	uint64_t cost;
	if (number == NULL ||
	    !number_parse(number + 1, strcspn(number + 1, "$"), UINT32_MAX, &cost))
		return COST_FAIR;
	return judge_range(cost, BCRYPT_MIN, BCRYPT_MAX);
}

/* "$6$" and perhaps "rounds=100000$". */
static enum secret_cost sha_cost(const char *secret)
{
	static const char name[] = "rounds=";
	const char *rest = secret + 3;
	uint64_t rounds = SHA_ROUNDS_STANDARD;
	if (strncmp(rest, name, strlen(name)) == 0) {
		rest += strlen(name);
		if (!number_parse(rest, strspn(rest, "0123456789"), UINT32_MAX, &rounds))
			rounds = *rest >= '0' && *rest <= '9' ? UINT32_MAX : SHA_ROUNDS_STANDARD;
	}
	return judge_range(rounds, SHA_ROUNDS_MIN, SHA_ROUNDS_MAX);
}

/* 128 r N octets, N being two to the power of `log`. Such a log and such an r do not overflow. */
static enum secret_cost memory_cost(unsigned log, uint64_t r)
{
	if (log > 32 || r > MEMORY_MAX / 128)
		return COST_EXCESSIVE;
	return judge_range((128 * r) << log, MEMORY_MIN, MEMORY_MAX);
}

/* "$y$j9T$": flags, the logarithm of N less one, r less one. */
static enum secret_cost yescrypt_cost(const char *secret)
{
	const char *parameters = strchr(secret + 1, '$') + 1;
	if (strcspn(parameters, "$") < 3 || digit(parameters[1]) == 64 ||
	    digit(parameters[2]) == 64)
		return COST_FAIR;
	return memory_cost(digit(parameters[1]) + 1, digit(parameters[2]) + 1);
}

/* The number of scrypt's five digits, the least first. */
static bool read_five(const char *text, uint64_t *number)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 5; i++) {
		unsigned next = digit(text[i]);
		if (next == 64)
			return false;
		value |= (uint64_t)next << (6 * i);
	}
	*number = value;
	return true;
}

/* "$7$C6..../....": the logarithm of N, r, p. Both of them have 30 bits, their product 60. */
static enum secret_cost scrypt_cost(const char *secret)
{
	uint64_t r, p;
	unsigned log = digit(secret[3]);
	if (log == 64 || !read_five(secret + 4, &r) || !read_five(secret + 9, &p))
		return COST_FAIR;
	return memory_cost(log, r * p);
}

static enum secret_cost crypt_cost(const char *secret)
{
	static const struct {
		const char *prefix;
		enum secret_cost (*cost)(const char *secret);
	} methods[] = {{"$2", bcrypt_cost},    {"$5$", sha_cost},       {"$6$", sha_cost},
		       {"$y$", yescrypt_cost}, {"$gy$", yescrypt_cost}, {"$7$", scrypt_cost}};
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strncmp(secret, methods[i].prefix, strlen(methods[i].prefix)) == 0)
			return methods[i].cost(secret);
	/* What is left is DES, MD5, SHA-1 and NT, all of them of another age. */
	return COST_WEAK;
}

enum secret_cost secret_cost(enum auth_scheme scheme, const char *secret)
{
	/* The range of SCRAM's iterations is seen to when the file is read. */
	return scheme == AUTH_SCHEME_CRYPT ? crypt_cost(secret) : COST_FAIR;
}
