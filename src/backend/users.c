/*
 * Generations of users. `mutex` guards the current one, all counts of references and what was
 * refused last, for a few instructions at a time; `reading` is held while the file is read, so that
 * a changed file is read by one worker while the others wait for the result.
 */
#include "backend/users.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scram_server.h"

struct users_file {
	pthread_mutex_t mutex;
	pthread_mutex_t reading;
	struct users *current;
	struct passwd_error refused;
	struct log_sink log;
};

static void users_free(struct users *users)
{
	if (users == NULL)
		return;
	passwd_unref(users->passwd);
	free(users);
}

/* Does a mechanism of SCRAM suit every user who can log in? */
static bool suits_all(const struct passwd *passwd, const char *mechanism)
{
	size_t count = 0;
	for (size_t i = 0; i < passwd_count(passwd); i++) {
		const struct passwd_entry *entry = passwd_at(passwd, i);
		if (entry->state != PASSWD_USABLE)
			continue;
		if (!scram_suits(mechanism, entry))
			return false;
		count++;
	}
	return count > 0;
}

/* The text at *room, which moves behind it; NULL stays NULL. */
static const char *keep(char **room, const char *text)
{
	if (text == NULL)
		return NULL;
	size_t size = strlen(text) + 1;
	char *kept = memcpy(*room, text, size);
	*room += size;
	return kept;
}

static size_t size_of(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

/* A generation with one reference; the settings' texts stand behind it. Takes over `passwd`. */
static struct users *users_new(const struct auth_settings *settings, struct passwd *passwd)
{
	size_t size = size_of(settings->passwd) + size_of(settings->maildir_root) +
		      size_of(settings->verify.command);
	struct users *users = calloc(1, sizeof *users + size);
	if (users == NULL) {
		passwd_unref(passwd);
		return NULL;
	}
	char *texts = (char *)(users + 1);
	users->references = 1;
	users->passwd = passwd;
	users->suits_scram_sha256 = suits_all(passwd, "SCRAM-SHA-256");
	users->suits_scram_sha1 = suits_all(passwd, "SCRAM-SHA-1");
	users->settings = *settings;
	users->settings.rules.strip_domain = settings->strip_domain;
	users->settings.passwd = keep(&texts, settings->passwd);
	users->settings.maildir_root = keep(&texts, settings->maildir_root);
	users->settings.verify.command = keep(&texts, settings->verify.command);
	return users;
}

int users_file_new(const struct auth_settings *settings, const struct log_sink *log,
		   struct passwd_error *error, struct users_file **out)
{
	struct users_file *file = calloc(1, sizeof *file);
	if (file == NULL)
		return -ENOMEM;
	pthread_mutex_init(&file->mutex, NULL);
	pthread_mutex_init(&file->reading, NULL);
	file->log = *log;
	int result = users_reload(file, settings, error);
	if (result != 0) {
		users_file_free(file);
		return result;
	}
	*out = file;
	return 0;
}

void users_file_free(struct users_file *file)
{
	if (file == NULL)
		return;
	if (file->current != NULL)
		users_release(file, file->current);
	pthread_mutex_destroy(&file->reading);
	pthread_mutex_destroy(&file->mutex);
	free(file);
}

struct users *users_hold(struct users_file *file)
{
	pthread_mutex_lock(&file->mutex);
	struct users *users = file->current;
	users->references++;
	pthread_mutex_unlock(&file->mutex);
	return users;
}

void users_release(struct users_file *file, struct users *users)
{
	pthread_mutex_lock(&file->mutex);
	bool last = --users->references == 0;
	pthread_mutex_unlock(&file->mutex);
	if (last)
		users_free(users);
}

bool users_are_stale(struct users_file *file, const struct users *users)
{
	if (!passwd_changed(users->passwd, users->settings.passwd))
		return false;
	pthread_mutex_lock(&file->mutex);
	struct passwd_error refused = file->refused;
	pthread_mutex_unlock(&file->mutex);
	return !passwd_refused(&refused, users->settings.passwd);
}

/* From now on these are the users; takes over the reference. */
static void install(struct users_file *file, struct users *users)
{
	pthread_mutex_lock(&file->mutex);
	struct users *before = file->current;
	file->current = users;
	file->refused = (struct passwd_error){0};
	pthread_mutex_unlock(&file->mutex);
	if (before != NULL)
		users_release(file, before);
}

/* Read the file and install what is in it. Called with `reading` held. */
static int load(struct users_file *file, const struct auth_settings *settings,
		struct passwd_error *error)
{
	struct passwd *passwd = NULL;
	int result = passwd_load(settings->passwd, error, &passwd);
	if (result != 0)
		return result;
	struct users *users = users_new(settings, passwd);
	if (users == NULL) {
		*error = (struct passwd_error){.text = "out of memory"};
		return -ENOMEM;
	}
	install(file, users);
	return 0;
}

int users_reload(struct users_file *file, const struct auth_settings *settings,
		 struct passwd_error *error)
{
	pthread_mutex_lock(&file->reading);
	int result = load(file, settings, error);
	pthread_mutex_unlock(&file->reading);
	return result;
}

/* Remember why the file was refused, and say it unless it was the same the last time. */
static void note_refusal(struct users_file *file, const char *path,
			 const struct passwd_error *error)
{
	pthread_mutex_lock(&file->mutex);
	bool known =
		error->line == file->refused.line && strcmp(error->text, file->refused.text) == 0;
	file->refused = *error;
	pthread_mutex_unlock(&file->mutex);
	if (!known)
		LOG(&file->log, POP3_LOG_ERROR, "users", LOG_TEXT("file", path),
		    LOG_NUMBER("line", error->line), LOG_TEXT("text", error->text),
		    LOG_TEXT("result", "the file is refused, the users stay as they were"));
}

static void refresh(struct users_file *file)
{
	pthread_mutex_lock(&file->reading);
	struct users *users = users_hold(file);
	/* Another thread may have read it while this one waited. */
	if (users_are_stale(file, users)) {
		struct passwd_error error = {0};
		if (load(file, &users->settings, &error) != 0)
			note_refusal(file, users->settings.passwd, &error);
	}
	users_release(file, users);
	pthread_mutex_unlock(&file->reading);
}

struct users *users_hold_fresh(struct users_file *file)
{
	refresh(file);
	return users_hold(file);
}
