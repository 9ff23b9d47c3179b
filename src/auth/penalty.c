/*
 * See penalty.h. A bucket is one moment: when all its failures will be forgiven. It lies `recovery`
 * milliseconds ahead for each that is not. Attempts under way are counted apart, in a table of the
 * same kind: of some few addresses the one with the fewest is forgotten first.
 */
#include "auth/penalty.h"

#include <stdlib.h>
#include <string.h>

#include "auth/limits.h"
#include "auth/moments.h"

struct penalties {
	struct moments *addresses, *users;
	struct moments *pending; /* how many attempts of an address are under way */
};

struct penalties *penalties_new(void)
{
	struct penalties *p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->addresses = moments_new(PENALTY_ENTRIES);
	p->users = moments_new(PENALTY_ENTRIES);
	p->pending = moments_new(PENDING_ENTRIES);
	if (p->addresses == NULL || p->users == NULL || p->pending == NULL) {
		penalties_free(p);
		return NULL;
	}
	return p;
}

void penalties_free(struct penalties *p)
{
	if (p == NULL)
		return;
	moments_free(p->addresses);
	moments_free(p->users);
	moments_free(p->pending);
	free(p);
}

static uint64_t failures(const struct moments *buckets, const char *name, uint32_t recovery,
			 uint64_t now)
{
	uint64_t forgiven = moments_get(buckets, name, strlen(name));
	return forgiven <= now || recovery == 0 ? 0 : (forgiven - now + recovery - 1) / recovery;
}

static void charge(struct moments *buckets, const char *name, uint32_t recovery, uint64_t now)
{
	uint64_t forgiven = moments_get(buckets, name, strlen(name));
	moments_set(buckets, name, strlen(name), (forgiven > now ? forgiven : now) + recovery);
}

/* May another attempt of an address with `failed` failures begin? */
static enum penalty judge_address(const struct penalties *p, const struct penalty_rules *rules,
				  const char *network, uint64_t failed)
{
	if (rules->address_failures == 0)
		return PENALTY_NONE;
	if (failed >= rules->address_failures)
		return PENALTY_ADDRESS;
	uint64_t pending = moments_get(p->pending, network, strlen(network));
	uint64_t most = failed == 0 ? PENALTY_PENDING_MAX : rules->address_failures - failed;
	return pending >= most ? PENALTY_CROWD : PENALTY_NONE;
}

static bool is_used_up(const struct penalties *p, const struct penalty_rules *rules,
		       const char *user, uint64_t now)
{
	return rules->user_failures > 0 &&
	       failures(p->users, user, rules->recovery, now) >= rules->user_failures;
}

enum penalty penalties_begin(struct penalties *p, const struct penalty_rules *rules,
			     const char *network, const char *user, uint64_t now)
{
	uint64_t failed = failures(p->addresses, network, rules->recovery, now);
	enum penalty penalty = judge_address(p, rules, network, failed);
	if (penalty != PENALTY_NONE)
		return penalty;
	if (failed > 0 && is_used_up(p, rules, user, now))
		return PENALTY_USER;
	uint64_t pending = moments_get(p->pending, network, strlen(network));
	moments_set(p->pending, network, strlen(network), pending + 1);
	return PENALTY_NONE;
}

void penalties_end(struct penalties *p, const struct penalty_rules *rules, const char *network,
		   const char *user, bool failed, uint64_t now)
{
	/* A crowded table may have forgotten it. */
	uint64_t pending = moments_get(p->pending, network, strlen(network));
	if (pending > 0)
		moments_set(p->pending, network, strlen(network), pending - 1);
	if (!failed)
		return;
	charge(p->addresses, network, rules->recovery, now);
	/* One that is used up is not filled further: the user is not to wait for longer. */
	if (!is_used_up(p, rules, user, now))
		charge(p->users, user, rules->recovery, now);
}

uint32_t penalties_failures(const struct penalties *p, const struct penalty_rules *rules,
			    const char *network, uint64_t now)
{
	uint64_t count = failures(p->addresses, network, rules->recovery, now);
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}
