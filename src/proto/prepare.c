/* See prepare.h. GnuTLS has the profile under the name of its predecessor, RFC 7613, and looks at
 * the syntax of UTF-8 first. */
#include "proto/prepare.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/secret.h"
#include "base/utf8.h"

/* What GnuTLS makes of it, to be wiped and freed; NULL: the text was ASCII. */
static int normalize(const void *text, size_t length, gnutls_datum_t *made)
{
	made->data = NULL;
	if (utf8_is_ascii(text, length))
		return 0;
	int error = gnutls_utf8_password_normalize(text, (unsigned)length, made, 0);
	if (error == GNUTLS_E_MEMORY_ERROR)
		return -ENOMEM;
	return error < 0 ? -EINVAL : 0;
}

int prepare_text(const void *text, size_t length, char prepared[PREPARED_SIZE],
		 size_t *prepared_length)
{
	gnutls_datum_t made;
	if (length >= PREPARED_SIZE)
		return -EINVAL;
	int error = normalize(text, length, &made);
	if (error < 0)
		return error;
	const void *result = made.data == NULL ? text : made.data;
	size_t result_length = made.data == NULL ? length : made.size;
	if (result_length < PREPARED_SIZE) {
		memcpy(prepared, result, result_length);
		prepared[result_length] = '\0';
		*prepared_length = result_length;
	} else {
		error = -EINVAL;
	}
	if (made.data != NULL)
		secret_wipe(made.data, made.size);
	gnutls_free(made.data);
	return error;
}
