/* The fields (type, length, value) behind the addresses of a PROXY header of version 2. */
#ifndef POP3_NET_PROXY_FIELDS_H
#define POP3_NET_PROXY_FIELDS_H

#include <stddef.h>

struct proxy_header;

/* Of the path of a unix socket in a header. */
#define PROXY_PATH_SIZE 108

/*
 * Read the fields from `begin` to the end of the header of `length` octets into *h, and check the
 * header's checksum if there is one. Types that are not known, and those that only fill, are passed
 * over. NULL, or what is wrong.
 */
const char *proxy_fields(const unsigned char *header, size_t length, size_t begin,
			 struct proxy_header *h);

#endif
