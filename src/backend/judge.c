/* See judge.h. */
#include "backend/judge.h"

#include <string.h>

#include "auth/verify.h"
#include "backend/maildrops.h"

const struct passwd_entry *judge_entry(const struct users *users,
				       const struct pop3_authenticate *event)
{
	return passwd_lookup(users->passwd, event->user, users->settings.strip_domain);
}

/* ---- The password ---- */

/* APOP and its like need the plaintext; the same work is done where there is none. */
static enum auth_result check_digest(const struct passwd_entry *entry,
				     const struct pop3_authenticate *event)
{
	const char *secret = auth_plaintext(entry);
	const char *known = secret == NULL ? "" : secret;
	bool matches = pop3_matches(event, known, strlen(known));
	return secret != NULL && matches ? AUTH_OK : AUTH_DENIED;
}

/*
 * Was this password right for this entry a short while ago? Who cannot have logged in is looked for
 * as long as who can.
 */
static bool is_remembered(const struct court *court, const struct passwd_entry *entry,
			  const struct pop3_authenticate *event, uint64_t now)
{
	bool usable = entry != NULL && entry->state == PASSWD_USABLE;
	const struct passwd_entry *looked_for = usable ? entry : passwd_decoy(court->users->passwd);
	const struct verified_login login = {looked_for->user, looked_for->secret, event->password};
	return throttle_knows(court->throttle, &court->users->settings.rules, &login, now) &&
	       usable;
}

/* Is the program to be asked about this entry? */
static bool is_asked(const struct court *court, const struct passwd_entry *entry)
{
	return entry != NULL && entry->state == PASSWD_USABLE &&
	       entry->scheme == AUTH_SCHEME_VERIFY && court->users->settings.verify.command != NULL;
}

/* `user` is how the entry is called, if there is one: another name of its would be another user's
 * where the program looks. */
static enum auth_result ask(const struct court *court, const char *user,
			    const struct pop3_authenticate *event)
{
	const struct pop3_info *info = event->event.info;
	const struct verifier_question question = {.session = event->event.id,
						   .user = user,
						   .secret = event->password,
						   .secret_length = strlen(event->password),
						   .method = event->method,
						   .peer = info == NULL ? "" : info->peer};
	return verifier_ask(court->verifier, &court->users->settings.verify, &question);
}

static enum auth_result check_password(const struct court *court, const struct passwd_entry *entry,
				       const struct pop3_authenticate *event,
				       enum judge_effort effort, uint64_t now)
{
	const struct passwd *passwd = court->users->passwd;
	/* Not asked again: it may be forgotten by now, and a hash is not for every thread. */
	if (effort == JUDGE_REMEMBERS)
		return AUTH_OK;
	enum auth_result result = effort == JUDGE_ASKS ? ask(court, entry->user, event)
						       : auth_verify(passwd, entry, event->password,
								     strlen(event->password));
	if (result == AUTH_OK && effort != JUDGE_COMPARES) {
		const struct verified_login login = {entry->user, entry->secret, event->password};
		throttle_remember(court->throttle, &court->users->settings.rules, &login, now);
	}
	return result;
}

enum judge_effort judge_effort(const struct court *court, const struct passwd_entry *entry,
			       const struct pop3_authenticate *event, uint64_t now)
{
	if (event->challenge != NULL ||
	    auth_is_cheap(court->users->passwd, entry, event->password, strlen(event->password)))
		return JUDGE_COMPARES;
	if (is_remembered(court, entry, event, now))
		return JUDGE_REMEMBERS;
	return is_asked(court, entry) ? JUDGE_ASKS : JUDGE_HASHES;
}

bool judge_is_early(const struct court *court, const struct pop3_authenticate *event,
		    enum judge_effort effort, const struct verdict *verdict)
{
	return verdict->wrong_secret && effort != JUDGE_ASKS && event->challenge == NULL &&
	       court->users->settings.verify.command != NULL && passwd_asks(court->users->passwd);
}

struct verdict judge_in_vain(const struct court *court, const struct pop3_authenticate *event,
			     const struct verdict *verdict)
{
	if (court->users->settings.verify.command != NULL &&
	    ask(court, event->user, event) == AUTH_TEMPORARY)
		return (struct verdict){.result = POP3_TEMPORARY};
	return *verdict;
}

bool judge_owes_hashes(enum judge_effort effort, const struct verdict *verdict)
{
	return effort == JUDGE_ASKS && (verdict->wrong_secret || verdict->result == POP3_TEMPORARY);
}

void judge_pay_hashes(const struct court *court, const struct pop3_authenticate *event)
{
	(void)auth_verify(court->users->passwd, NULL, event->password, strlen(event->password));
}

/* ---- The rest ---- */

static const char *denied_reason(const struct passwd_entry *entry,
				 const struct pop3_authenticate *event, enum judge_effort effort)
{
	if (entry == NULL)
		return "no such user";
	if (entry->state != PASSWD_USABLE)
		return passwd_state_text(entry->state);
	if (event->challenge != NULL && auth_plaintext(entry) == NULL)
		return "the method needs a {PLAIN} secret";
	if (entry->scheme == AUTH_SCHEME_VERIFY && effort != JUDGE_ASKS)
		return "verify_command is not set";
	return "wrong password";
}

static bool acts_for_another(const struct pop3_authenticate *event)
{
	return event->authzid != NULL && *event->authzid != '\0' &&
	       strcmp(event->authzid, event->user) != 0;
}

struct verdict judge_admit(const struct court *court, const struct passwd_entry *entry,
			   uint64_t session, uint64_t now)
{
	const struct auth_settings *settings = &court->users->settings;
	struct maildrop_path path;
	if (throttle_is_too_soon(court->throttle, &settings->rules, entry->user, now))
		return (struct verdict){.result = POP3_LOGIN_DELAY,
					.reason = "too soon after the last login"};
	const char *reason =
		maildrop_path_find(entry, settings->maildir_root, settings->mail_user, &path);
	if (reason != NULL)
		return (struct verdict){.result = POP3_PERMANENT, .reason = reason};
	const struct store_grant grant = {.session = session,
					  .user = entry->user,
					  .maildrop = path.maildrop,
					  .home = path.home};
	if (grants_put(court->grants, &grant, now) != 0)
		return (struct verdict){.result = POP3_TEMPORARY, .reason = "out of memory"};
	return (struct verdict){.result = POP3_OK, .user = entry->user};
}

struct verdict judge(const struct court *court, const struct passwd_entry *entry,
		     const struct pop3_authenticate *event, enum judge_effort effort, uint64_t now)
{
	enum auth_result result = event->challenge != NULL
					  ? check_digest(entry, event)
					  : check_password(court, entry, event, effort, now);
	if (result == AUTH_TEMPORARY)
		/* The verifier has told why. */
		return (struct verdict){.result = POP3_TEMPORARY,
					.reason = effort == JUDGE_ASKS
							  ? NULL
							  : "the password could not be checked"};
	if (result == AUTH_DENIED)
		return (struct verdict){.result = POP3_DENIED,
					.reason = denied_reason(entry, event, effort),
					.wrong_secret = true};
	if (acts_for_another(event))
		return (struct verdict){.result = POP3_DENIED,
					.reason = "wants to act for another user"};
	return judge_admit(court, entry, event->event.id, now);
}
