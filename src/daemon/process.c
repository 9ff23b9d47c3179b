/* Limits and identity of the process. It never serves as root: there is no setting for that. */
#include "daemon/process.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "backend/program.h"
#include "daemon/message.h"

/* One arena for the loop and one for all workers: each more would keep pages of its own. */
#define ARENAS 2
/* Blocks above are given back to the system at once when freed (glibc would raise it by itself). */
#define MAP_FROM (128 * 1024)

static void raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* with fewer the loop gets on too: EMFILE is survived */
}

void process_prepare(void)
{
	umask(077);
	raise_descriptors();
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MMAP_THRESHOLD, MAP_FROM);
#endif
}

static int named_account(const char *name, struct account *account)
{
	int result = account_find(name, account);
	if (result == -ENOENT)
		return message(EX_NOUSER, "user %s: no such account", name);
	if (result != 0)
		return message(EX_OSERR, "user %s: %s", name, strerror(-result));
	return 0;
}

static int root_account(const struct options *options, struct account *account)
{
	if (options->user == NULL)
		return message(EX_CONFIG, "refusing to run as root: set `user` to the account "
					  "that owns the maildrops");
	int result = named_account(options->user, account);
	if (result == EX_NOUSER)
		return EX_CONFIG;
	if (result == 0 && account->uid == 0)
		return message(EX_CONFIG, "refusing to run as root: user %s is root",
			       options->user);
	return result;
}

int process_account(const struct options *options, struct account *account)
{
	if (geteuid() == 0)
		return root_account(options, account);
	if (options->user != NULL) {
		int result = named_account(options->user, account);
		if (result != 0)
			return result == EX_NOUSER ? EX_CONFIG : result;
		if (account->uid != geteuid())
			return message(EX_NOPERM, "user %s: only root can become another user",
				       options->user);
		return 0;
	}
	if (account_of(geteuid(), getegid(), account) != 0)
		return message(EX_OSERR, "cannot look up uid %u", (unsigned)geteuid());
	return 0;
}

int process_owner(const char *folder, struct account *account)
{
	struct stat info;
	if (stat(folder, &info) != 0)
		return message(EX_NOINPUT, "%s: %s", folder, strerror(errno));
	if (info.st_uid == 0)
		return message(EX_CONFIG,
			       "refusing to run as root: %s belongs to root; it is served as its "
			       "owner",
			       folder);
	if (account_of(info.st_uid, info.st_gid, account) != 0)
		return message(EX_OSERR, "cannot look up uid %u", (unsigned)info.st_uid);
	return 0;
}

int process_drop(const struct account *account)
{
	if (geteuid() != 0)
		return 0;
	int result = account_become(account);
	if (result != 0)
		return message(EX_OSERR, "cannot become %s: %s", account->name, strerror(-result));
	return 0;
}

int process_check_command(const struct options *options, const struct account *account)
{
	const char *command = options->verify_command;
	const char *wrong = command == NULL ? NULL : program_check(command);
	if (wrong == NULL)
		return 0;
	return message(EX_CONFIG, "verify_command: %.*s: %s (as user %s)",
		       (int)strcspn(command, " "), command, wrong, account->name);
}
