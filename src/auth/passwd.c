/*
 * One generation of the passwd file: parsed, indexed by name. The text is kept as one piece and cut
 * into strings in place, so that all secrets are wiped at once; entries only point into it.
 */
#include "auth/passwd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/cost.h"
#include "auth/passwd_private.h"
#include "auth/user.h"
#include "base/number.h"
#include "base/secret.h"

/* The fields behind the secret: uid, gid, gecos, home. What follows the home is left alone. */
enum { FIELD_UID, FIELD_GID, FIELD_GECOS, FIELD_HOME, FIELD_COUNT };

int passwd_error_set(struct passwd_error *error, int result, size_t line, const char *text)
{
	error->line = (uint32_t)line;
	snprintf(error->text, sizeof error->text, "%s", text);
	return result;
}

/* ---- One line ---- */

/* Cut the field off at its ':' and return the field behind it; NULL: it is the last one. */
static char *field_cut(char *field)
{
	char *colon = strchr(field, ':');
	if (colon == NULL)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static bool starts_disabled(const char *secret)
{
	return *secret == '!' || *secret == '*';
}

static const char *unaccepted_text(enum auth_scheme scheme)
{
	switch (scheme) {
	case AUTH_SCHEME_SCRAM_SHA_256:
		return "the secret is not iterations,salt,StoredKey,ServerKey";
	case AUTH_SCHEME_VERIFY:
		return "there is a secret behind {VERIFY}, which has none";
	default:
		return "the secret is of no method that crypt(3) knows";
	}
}

/* Find out scheme and state of the secret field. NULL, or what is wrong with it. */
static const char *secret_parse(char *field, struct passwd_entry *entry)
{
	entry->secret = field;
	entry->scheme = AUTH_SCHEME_CRYPT;
	if (*field == '\0')
		entry->state = PASSWD_EMPTY;
	else if (starts_disabled(field))
		entry->state = PASSWD_DISABLED;
	if (entry->state != PASSWD_USABLE)
		return NULL;

	if (*field == '{') {
		const char *end = strchr(field, '}');
		if (end == NULL)
			return "the '}' of the secret's {SCHEME} is missing";
		if (!scheme_find(field + 1, (size_t)(end - field - 1), &entry->scheme))
			return "unknown {SCHEME} of the secret";
		entry->secret = end + 1;
	} else if (*field != '$') {
		return "the secret has neither a {SCHEME} nor a '$' in front";
	}
	if (*entry->secret == '\0' && entry->scheme != AUTH_SCHEME_VERIFY)
		entry->state = PASSWD_EMPTY;
	else if (entry->scheme != AUTH_SCHEME_PLAIN && starts_disabled(entry->secret))
		entry->state = PASSWD_DISABLED;
	else if (!scheme_accepts(entry->scheme, entry->secret))
		return unaccepted_text(entry->scheme);
	else if (secret_cost(entry->scheme, entry->secret) == COST_EXCESSIVE)
		entry->state = PASSWD_COSTLY;
	return NULL;
}

static const char *uid_parse(const char *field, struct passwd_entry *entry)
{
	uint64_t uid;
	if (*field == '\0')
		return NULL;
	if (!number_parse(field, strlen(field), UINT32_MAX - 1, &uid))
		return "the uid is not a number";
	entry->uid = (uid_t)uid;
	entry->has_uid = true;
	if (uid == 0)
		entry->state = PASSWD_ROOT;
	return NULL;
}

static const char *home_parse(const char *field, struct passwd_entry *entry)
{
	if (*field == '\0')
		return NULL;
	entry->home = field;
	return *field == '/' ? NULL : "the home is not an absolute path";
}

/* A line without its end, as a string, that is neither empty nor a comment. NULL, or what is wrong
 * with it. */
static const char *line_parse(char *line, struct passwd_entry *entry)
{
	for (const char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			return *c == '\r' ? "a CR: line ends must be LF alone"
					  : "a control character";

	char *field = field_cut(line);
	if (field == NULL)
		return "the secret is missing: user:{SCHEME}secret is wanted";
	if (!auth_user_is_valid(line, strlen(line)))
		return *line == '\0' ? "the user name is empty" : "the user name is too long";
	entry->user = line;

	char *next = field_cut(field);
	const char *wrong = secret_parse(field, entry);
	for (int i = FIELD_UID; i < FIELD_COUNT && next != NULL && wrong == NULL; i++) {
		field = next;
		next = field_cut(field);
		if (i == FIELD_UID)
			wrong = uid_parse(field, entry);
		else if (i == FIELD_HOME)
			wrong = home_parse(field, entry);
	}
	return wrong;
}

/* ---- All lines ---- */

static int entry_add(struct passwd *p, const struct passwd_entry *entry)
{
	if (p->count == p->capacity) {
		size_t capacity = p->capacity == 0 ? 16 : p->capacity * 2;
		struct passwd_entry *entries =
			reallocarray(p->entries, capacity, sizeof *p->entries);
		if (entries == NULL)
			return -ENOMEM;
		p->entries = entries;
		p->capacity = capacity;
	}
	p->entries[p->count] = *entry;
	p->count++;
	return 0;
}

static bool line_is_empty(const char *line)
{
	return *line == '#' || line[strspn(line, " \t")] == '\0';
}

static int lines_parse(struct passwd *p, struct passwd_error *error)
{
	size_t number = 0;
	char *end = p->text + p->length;

	for (char *line = p->text; line < end;) {
		number++;
		char *line_end = memchr(line, '\n', (size_t)(end - line));
		if (line_end == NULL)
			line_end = end;
		size_t length = (size_t)(line_end - line);
		if (memchr(line, '\0', length) != NULL)
			return passwd_error_set(error, -EINVAL, number, "a NUL octet");
		if (length > PASSWD_LINE_MAX)
			return passwd_error_set(error, -EINVAL, number,
						"the line is longer than 4096 octets");
		*line_end = '\0';
		if (!line_is_empty(line)) {
			struct passwd_entry entry = {.line = (uint32_t)number};
			const char *wrong = line_parse(line, &entry);
			if (wrong != NULL)
				return passwd_error_set(error, -EINVAL, number, wrong);
			if (entry_add(p, &entry) < 0)
				return passwd_error_set(error, -ENOMEM, 0, "out of memory");
		}
		line = line_end + 1;
	}
	return 0;
}

/* ---- The index ---- */

/* FNV-1a. The names in the table are the administrator's, so nobody can crowd a slot from outside.
 */
static size_t name_slot(const struct passwd *p, const char *name, size_t length)
{
	uint64_t hash = 0xCBF29CE484222325u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001B3u;
	return (size_t)(hash ^ hash >> 32) & (p->slot_count - 1);
}

static bool name_equal(const char *known, const char *name, size_t length)
{
	return strncmp(known, name, length) == 0 && known[length] == '\0';
}

/* The slot that holds the name, or the free one where it belongs. */
static uint32_t *slot_find(const struct passwd *p, const char *name, size_t length)
{
	size_t i = name_slot(p, name, length);
	while (p->slots[i] != 0 && !name_equal(p->entries[p->slots[i] - 1].user, name, length))
		i = (i + 1) & (p->slot_count - 1);
	return &p->slots[i];
}

static int index_make(struct passwd *p, struct passwd_error *error)
{
	p->slot_count = 16;
	while (p->slot_count < p->count * 2)
		p->slot_count *= 2;
	p->slots = calloc(p->slot_count, sizeof *p->slots);
	if (p->slots == NULL)
		return passwd_error_set(error, -ENOMEM, 0, "out of memory");

	for (size_t i = 0; i < p->count; i++) {
		const struct passwd_entry *entry = &p->entries[i];
		uint32_t *slot = slot_find(p, entry->user, strlen(entry->user));
		if (*slot != 0) {
			char text[sizeof error->text];
			snprintf(text, sizeof text, "the user is already in line %u",
				 (unsigned int)p->entries[*slot - 1].line);
			return passwd_error_set(error, -EINVAL, entry->line, text);
		}
		*slot = (uint32_t)(i + 1);
	}
	return 0;
}

/* ---- Kinds of secrets ---- */

bool passwd_same_kind(const struct passwd_entry *a, const struct passwd_entry *b)
{
	size_t length = scheme_cost_prefix(a->scheme, a->secret);
	return a->scheme == b->scheme && length == scheme_cost_prefix(b->scheme, b->secret) &&
	       memcmp(a->secret, b->secret, length) == 0;
}

/* Of a random salt and nobody's password; for a file in which nobody can log in. */
static const struct passwd_entry *kind_of_none(void)
{
	static const struct passwd_entry none = {
		.user = "",
		.secret = "$y$j9T$KWt0U8vVOtHk3vnN6GIqN1$"
			  "0000000000000000000000000000000000000000000",
		.scheme = AUTH_SCHEME_CRYPT,
		.state = PASSWD_DISABLED,
	};
	return &none;
}

/* The kind of an entry, which is the first of it if there is room; else PASSWD_KINDS_MAX. */
static size_t kind_note(struct passwd *p, const struct passwd_entry *entry)
{
	size_t kind = 0;
	while (kind < p->kind_count && !passwd_same_kind(p->kinds[kind], entry))
		kind++;
	if (kind == p->kind_count && kind < PASSWD_KINDS_MAX)
		p->kinds[p->kind_count++] = entry;
	return kind;
}

static void kinds_find(struct passwd *p)
{
	size_t counts[PASSWD_KINDS_MAX + 1] = {0};
	size_t most = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (p->entries[i].state == PASSWD_USABLE)
			counts[kind_note(p, &p->entries[i])]++;
	}
	if (p->kind_count == 0)
		p->kinds[p->kind_count++] = kind_of_none();
	for (size_t kind = 1; kind < p->kind_count; kind++)
		if (counts[kind] > counts[most])
			most = kind;
	p->decoy = p->kinds[most];
}

/* ---- The program that is asked ---- */

static bool asks_find(const struct passwd *p)
{
	bool asks = false;
	for (size_t i = 0; i < p->count && !asks; i++)
		asks = p->entries[i].scheme == AUTH_SCHEME_VERIFY &&
		       p->entries[i].state == PASSWD_USABLE;
	return asks;
}

/* ---- The generation ---- */

int passwd_take(char *text, size_t length, struct passwd_error *error, struct passwd **passwd)
{
	struct passwd *p = calloc(1, sizeof *p);
	if (p == NULL) {
		secret_wipe(text, length);
		free(text);
		return passwd_error_set(error, -ENOMEM, 0, "out of memory");
	}
	atomic_init(&p->references, 1);
	p->text = text;
	p->length = length;
	text[length] = '\0';

	int result = lines_parse(p, error);
	if (result == 0)
		result = index_make(p, error);
	if (result < 0) {
		passwd_unref(p);
		return result;
	}
	kinds_find(p);
	p->asks = asks_find(p);
	*passwd = p;
	return 0;
}

int passwd_parse(const char *text, size_t length, struct passwd_error *error,
		 struct passwd **passwd)
{
	*error = (struct passwd_error){0};
	if (length > PASSWD_FILE_MAX)
		return passwd_error_set(error, -EFBIG, 0, "the file is larger than 64 MiB");
	char *copy = malloc(length + 1);
	if (copy == NULL)
		return passwd_error_set(error, -ENOMEM, 0, "out of memory");
	if (length > 0)
		memcpy(copy, text, length);
	return passwd_take(copy, length, error, passwd);
}

struct passwd *passwd_ref(struct passwd *p)
{
	atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
	return p;
}

void passwd_unref(struct passwd *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) > 1)
		return;
	secret_wipe(p->text, p->length);
	free(p->text);
	free(p->entries);
	free(p->slots);
	free(p);
}

static const struct passwd_entry *name_find(const struct passwd *p, const char *name, size_t length)
{
	uint32_t slot = *slot_find(p, name, length);
	return slot == 0 ? NULL : &p->entries[slot - 1];
}

/* Up to the last '@', where what follows is nothing. */
static size_t bare_length(const char *user, bool strip_domain)
{
	const char *at = strip_domain ? strrchr(user, '@') : NULL;
	return at == NULL ? strlen(user) : (size_t)(at - user);
}

const struct passwd_entry *passwd_lookup(const struct passwd *p, const char *user,
					 bool strip_domain)
{
	const struct passwd_entry *entry = name_find(p, user, strlen(user));
	return entry != NULL ? entry : name_find(p, user, bare_length(user, strip_domain));
}

void passwd_bare_name(const char *user, bool strip_domain, char name[AUTH_USER_MAX + 1])
{
	size_t length = bare_length(user, strip_domain);
	if (length > AUTH_USER_MAX)
		length = AUTH_USER_MAX;
	memcpy(name, user, length);
	name[length] = '\0';
}

size_t passwd_count(const struct passwd *p)
{
	return p->count;
}

const struct passwd_entry *passwd_at(const struct passwd *p, size_t index)
{
	return &p->entries[index];
}

size_t passwd_kind_count(const struct passwd *p)
{
	return p->kind_count;
}

const struct passwd_entry *passwd_kind_at(const struct passwd *p, size_t kind)
{
	return p->kinds[kind];
}

bool passwd_asks(const struct passwd *p)
{
	return p->asks;
}

const struct passwd_entry *passwd_decoy(const struct passwd *p)
{
	return p->decoy;
}

mode_t passwd_mode(const struct passwd *p)
{
	return p->mode;
}

const char *passwd_state_text(enum passwd_state state)
{
	switch (state) {
	case PASSWD_USABLE:
		return NULL;
	case PASSWD_DISABLED:
		return "the secret is disabled";
	case PASSWD_EMPTY:
		return "the secret is empty";
	case PASSWD_ROOT:
		return "uid 0 never logs in";
	case PASSWD_COSTLY:
		return "the hash costs too much to check";
	}
	return NULL;
}
