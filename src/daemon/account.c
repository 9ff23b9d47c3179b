/*
 * Groups first, then the gid, then the uid: the other way round the right to change the groups is
 * gone. All three ids of each kind are set and read back, and going back is tried.
 */
#include "daemon/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* For the strings of an entry of the name service; its largest answers are far below. */
#define ENTRY_SIZE 65536

/* By name, or by uid if name is NULL. */
static int find(const char *name, uid_t uid, struct account *account)
{
	struct passwd entry;
	struct passwd *found = NULL;
	char *strings = malloc(ENTRY_SIZE);
	if (strings == NULL)
		return -ENOMEM;
	int error = name != NULL ? getpwnam_r(name, &entry, strings, ENTRY_SIZE, &found)
				 : getpwuid_r(uid, &entry, strings, ENTRY_SIZE, &found);
	if (error == 0 && found == NULL)
		error = ENOENT;
	if (error == 0 && strlen(entry.pw_name) >= sizeof account->name)
		error = ENAMETOOLONG;
	if (error == 0) {
		*account = (struct account){.uid = entry.pw_uid, .gid = entry.pw_gid};
		memcpy(account->name, entry.pw_name, strlen(entry.pw_name) + 1);
	}
	free(strings);
	return -error;
}

int account_find(const char *name, struct account *account)
{
	return find(name, 0, account);
}

int account_of(uid_t uid, gid_t gid, struct account *account)
{
	int result = find(NULL, uid, account);
	if (result != -ENOENT)
		return result;
	*account = (struct account){.uid = uid, .gid = gid};
	return 0;
}

static int set_groups(const struct account *account)
{
	if (*account->name == '\0')
		return setgroups(0, NULL);
	return initgroups(account->name, account->gid);
}

static bool is_for_good(const struct account *account)
{
	uid_t uids[3];
	gid_t gids[3];

	if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) != 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (uids[i] != account->uid || gids[i] != account->gid)
			return false;
	return setuid(0) != 0 && seteuid(0) != 0;
}

int account_become(const struct account *account)
{
	if (account->uid == 0)
		return -EPERM;
	if (set_groups(account) != 0 || setresgid(account->gid, account->gid, account->gid) != 0 ||
	    setresuid(account->uid, account->uid, account->uid) != 0)
		return -errno;
	if (!is_for_good(account))
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}
