/* See throttle.h. One mutex guards all; what is done under it is a few hundred nanoseconds. */
#include "backend/throttle.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "auth/limits.h"
#include "auth/moments.h"
#include "auth/passwd.h"
#include "base/hash.h"
#include "base/network.h"

/* Octets of an IPv6 address that are its network: 64 bits, which one customer has. */
#define NETWORK_V6 8

struct throttle {
	pthread_mutex_t mutex;
	struct hash_key key; /* of parties */
	struct penalties *penalties;
	struct moments *logins; /* by user: when the next is allowed */
	struct verified *verified;
};

struct throttle *throttle_new(void)
{
	struct throttle *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	pthread_mutex_init(&t->mutex, NULL);
	t->penalties = penalties_new();
	t->logins = moments_new(LOGIN_ENTRIES);
	t->verified = verified_new();
	if (t->penalties == NULL || t->logins == NULL || t->verified == NULL ||
	    getrandom(&t->key, sizeof t->key, 0) != sizeof t->key) {
		throttle_free(t);
		return NULL;
	}
	return t;
}

void throttle_free(struct throttle *t)
{
	if (t == NULL)
		return;
	penalties_free(t->penalties);
	moments_free(t->logins);
	verified_free(t->verified);
	pthread_mutex_destroy(&t->mutex);
	free(t);
}

/* ---- Addresses ---- */

/* "[2001:db8::1]:4711" becomes "2001:db8::", all else what stands before its port. */
static void network_of(const struct pop3_info *info, char network[POP3_ADDRESS_SIZE])
{
	struct in6_addr address;
	const char *text;
	size_t length = network_of_peer(info == NULL ? "" : info->peer, &text);
	memcpy(network, text, length);
	network[length] = '\0';
	if (inet_pton(AF_INET6, network, &address) != 1)
		return;
	memset(address.s6_addr + NETWORK_V6, 0, sizeof address.s6_addr - NETWORK_V6);
	inet_ntop(AF_INET6, &address, network, POP3_ADDRESS_SIZE);
}

uint64_t throttle_party(const struct throttle *t, const struct pop3_info *info)
{
	char network[POP3_ADDRESS_SIZE];
	network_of(info, network);
	return hash_keyed(&t->key, network, strlen(network)) | 1;
}

static bool is_spared(const struct throttle_rules *rules, const struct pop3_info *info)
{
	return info != NULL && info->loopback && !rules->on_loopback;
}

/*
 * ---- Failures ----
 *
 * A user's bucket is called as passwd_bare_name() has it. Where domains are stripped, one user has
 * as many names as there are domains, and a bucket for each would be none. Whether the user exists
 * must not matter, so a name that has its domain in the file shares the bucket, too.
 */

const struct throttle_refusal *throttle_enter(struct throttle *t,
					      const struct throttle_rules *rules,
					      const struct pop3_info *info, const char *user,
					      uint64_t now, bool *counted)
{
	static const char failed[] = "too many failed logins, try again later";
	static const struct throttle_refusal refusals[] = {
		[PENALTY_ADDRESS] = {failed, "too many failed logins from this address"},
		[PENALTY_USER] = {failed, "too many failed logins of this user, and some from this "
					  "address"},
		/* Not to be taken for guesses: etc/fail2ban knows those by their words. */
		[PENALTY_CROWD] = {"too many logins at once, try again later",
				   "too many logins at once from this address"},
	};
	char network[POP3_ADDRESS_SIZE], bucket[AUTH_USER_MAX + 1];
	*counted = false;
	if (is_spared(rules, info))
		return NULL;
	network_of(info, network);
	passwd_bare_name(user, rules->strip_domain, bucket);
	pthread_mutex_lock(&t->mutex);
	enum penalty penalty = penalties_begin(t->penalties, &rules->penalty, network, bucket, now);
	pthread_mutex_unlock(&t->mutex);
	*counted = penalty == PENALTY_NONE;
	return penalty == PENALTY_NONE ? NULL : &refusals[penalty];
}

void throttle_leave(struct throttle *t, const struct throttle_rules *rules,
		    const struct pop3_info *info, const char *user, bool failed, uint64_t now)
{
	char network[POP3_ADDRESS_SIZE], bucket[AUTH_USER_MAX + 1];
	network_of(info, network);
	passwd_bare_name(user, rules->strip_domain, bucket);
	pthread_mutex_lock(&t->mutex);
	penalties_end(t->penalties, &rules->penalty, network, bucket, failed, now);
	pthread_mutex_unlock(&t->mutex);
}

uint32_t throttle_delay(struct throttle *t, const struct throttle_rules *rules,
			const struct pop3_info *info, uint64_t now)
{
	char network[POP3_ADDRESS_SIZE];
	if (rules->failure_delay == 0 || is_spared(rules, info))
		return 0;
	network_of(info, network);
	pthread_mutex_lock(&t->mutex);
	uint64_t count = penalties_failures(t->penalties, &rules->penalty, network, now);
	pthread_mutex_unlock(&t->mutex);
	uint64_t delay = rules->failure_delay * (count == 0 ? 1 : count);
	return delay < rules->delay_max ? (uint32_t)delay : rules->delay_max;
}

/* ---- LOGIN-DELAY ---- */

bool throttle_is_too_soon(struct throttle *t, const struct throttle_rules *rules, const char *user,
			  uint64_t now)
{
	if (rules->login_delay == 0)
		return false;
	pthread_mutex_lock(&t->mutex);
	uint64_t allowed = moments_get(t->logins, user, strlen(user));
	pthread_mutex_unlock(&t->mutex);
	return allowed > now;
}

void throttle_note_session(struct throttle *t, const struct throttle_rules *rules, const char *user,
			   uint64_t when)
{
	if (rules->login_delay == 0)
		return;
	pthread_mutex_lock(&t->mutex);
	moments_set(t->logins, user, strlen(user), when + rules->login_delay);
	pthread_mutex_unlock(&t->mutex);
}

/* ---- Passwords that were right ---- */

bool throttle_knows(struct throttle *t, const struct throttle_rules *rules,
		    const struct verified_login *login, uint64_t now)
{
	if (rules->remember == 0)
		return false;
	pthread_mutex_lock(&t->mutex);
	bool known = verified_knows(t->verified, login, now);
	pthread_mutex_unlock(&t->mutex);
	return known;
}

void throttle_remember(struct throttle *t, const struct throttle_rules *rules,
		       const struct verified_login *login, uint64_t now)
{
	if (rules->remember == 0)
		return;
	pthread_mutex_lock(&t->mutex);
	verified_note(t->verified, login, now + rules->remember);
	pthread_mutex_unlock(&t->mutex);
}
