/*
 * See penalty.h. A bucket is one moment: when all its failures will be forgiven. It lies `recovery`
 * milliseconds ahead for each that is not.
 */
#include "auth/penalty.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "auth/limits.h"
#include "auth/moments.h"

struct penalties {
	struct moments *addresses, *users;
};

struct penalties *penalties_new(void)
{
	struct penalties *p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->addresses = moments_new(PENALTY_ENTRIES);
	p->users = moments_new(PENALTY_ENTRIES);
	if (p->addresses == NULL || p->users == NULL) {
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

static void refund(struct moments *buckets, const char *name, uint32_t recovery, uint64_t now)
{
	uint64_t forgiven = moments_get(buckets, name, strlen(name));
	if (forgiven > now)
		moments_set(buckets, name, strlen(name), forgiven - recovery);
}

enum penalty penalties_charge(struct penalties *p, const struct penalty_rules *rules,
			      const char *network, const char *user, uint64_t now)
{
	uint64_t of_address = failures(p->addresses, network, rules->recovery, now);
	uint64_t of_user = failures(p->users, user, rules->recovery, now);
	if (rules->address_failures > 0 && of_address >= rules->address_failures)
		return PENALTY_ADDRESS;
	bool used_up = rules->user_failures > 0 && of_user >= rules->user_failures;
	if (used_up && of_address > 0)
		return PENALTY_USER;
	charge(p->addresses, network, rules->recovery, now);
	/* One that is used up is not filled further: the user is not to wait for longer. */
	if (!used_up)
		charge(p->users, user, rules->recovery, now);
	return PENALTY_NONE;
}

void penalties_refund(struct penalties *p, const struct penalty_rules *rules, const char *network,
		      const char *user, uint64_t now)
{
	refund(p->addresses, network, rules->recovery, now);
	refund(p->users, user, rules->recovery, now);
}

uint32_t penalties_failures(const struct penalties *p, const struct penalty_rules *rules,
			    const char *network, uint64_t now)
{
	uint64_t count = failures(p->addresses, network, rules->recovery, now);
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}
