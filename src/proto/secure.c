/*
 * STLS (RFC 2595 section 4) and what TLS means for a session: when it starts, what is forgotten,
 * who must use it. The handshake itself is done by the owner of the transport.
 *
 * Whoever sits between client and server can put commands behind the client's STLS, hoping that
 * they are carried out once the connection is trusted. So STLS is accepted only as the last that
 * was received, and from then on nothing is taken but what comes out of TLS.
 */
#include <string.h>

#include "proto/state.h"

void session_start_tls(struct pop3_session *s)
{
	s->to_secure = true;
	s->secure_by = s->now + s->settings->options.timeouts.handshake;
}

void session_refuse_injection(struct pop3_session *s)
{
	session_note_fault(s, "octets behind STLS");
	session_close(s, POP3_REASON_REFUSED);
}

void command_stls(struct pop3_session *s, struct arguments *a)
{
	(void)a;
	if (s->behind > 0) {
		session_refuse_injection(s);
		return;
	}
	/* RFC 6856 section 2.1 */
	if (s->info.utf8) {
		reply_error(s, TEXT_STLS_AFTER_UTF8);
		return;
	}
	reply_ok(s, TEXT_BEGIN_TLS);
	session_start_tls(s);
}

bool command_stls_available(struct pop3_session *s)
{
	return s->info.stls || s->info.tls;
}

/* Could it have been had here, or from the proxy that the client has come through? */
static bool offers_tls(const struct pop3_session *s)
{
	return s->info.stls || (s->info.proxied && s->settings->options.proxy.tls);
}

bool session_needs_tls(const struct pop3_session *s)
{
	switch (s->settings->options.require_tls) {
	case POP3_TLS_REMOTE:
		return !s->info.tls && !s->info.loopback && offers_tls(s);
	case POP3_TLS_ALWAYS:
		return !s->info.tls;
	case POP3_TLS_NEVER:
		return false;
	}
	return true;
}

/* All that the client has said before; it may have been somebody else. */
static void forget(struct pop3_session *s)
{
	line_fini(&s->line);
	sasl_fini(s);
	session_forget_client(s);
}

void pop3_session_secured(struct pop3_session *s, const struct pop3_info *info, uint64_t now)
{
	struct pop3_info *own = &s->info;
	s->now = now;
	if (!s->to_secure || s->ended)
		return;
	s->to_secure = false;
	s->idle_since = now;
	own->tls = true;
	own->has_binding = info->has_binding;
	memcpy(own->binding, info->binding, sizeof own->binding);
	memcpy(own->tls_version, info->tls_version, sizeof own->tls_version);
	memcpy(own->tls_cipher, info->tls_cipher, sizeof own->tls_cipher);
	memcpy(own->certificate, info->certificate, sizeof own->certificate);
	own->tls_version[sizeof own->tls_version - 1] = '\0';
	own->tls_cipher[sizeof own->tls_cipher - 1] = '\0';
	own->certificate[sizeof own->certificate - 1] = '\0';
	forget(s);
	if (!s->greeted && !s->closing)
		session_connect(s);
}

/* ---- Foreign tongues ---- */

/*
 * A browser that a web page has sent here, with commands in what it posts: our answers could be
 * taken for those of a web server, under TLS even for those of one with our name. No client of POP3
 * begins so.
 */
bool session_hears_http(const char *text)
{
	return text[0] >= 'A' && text[0] <= 'Z' && strstr(text, " HTTP/") != NULL;
}

void session_note_fault(struct pop3_session *s, const char *text)
{
	if (s->fault == NULL)
		s->fault = text;
}
