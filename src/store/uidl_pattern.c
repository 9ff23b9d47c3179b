/* See uidl_pattern.h. A pattern is a row of pieces, read anew each time: they are few and short. */
#include "store/uidl_pattern.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

/* Widths above are a mistake; while they are read they must not overflow. */
#define WIDTH_MAX 999u

/* One octet that stands for itself, or one variable. */
struct piece {
	char variable; /* '\0': none; a pattern that ends too early has none either, behind a '%' */
	char octet;
	bool zeros;
	bool hex;
	unsigned width; /* 0 = as it is */
};

/* Read the piece at `at`; returns what follows it. */
static const char *next_piece(const char *at, struct piece *piece)
{
	*piece = (struct piece){.octet = *at};
	if (*at++ != '%')
		return at;
	if (*at == '0') {
		piece->zeros = true;
		at++;
	}
	for (; *at >= '0' && *at <= '9'; at++)
		if (piece->width <= WIDTH_MAX)
			piece->width = piece->width * 10 + (unsigned)(*at - '0');
	if (*at == 'X') {
		piece->hex = true;
		at++;
	}
	piece->variable = *at;
	return *at == '\0' ? at : at + 1;
}

/* What is wrong with a piece; NULL: nothing. */
static const char *piece_check(const struct piece *piece, char wrong[UIDL_PATTERN_WRONG_SIZE])
{
	if (piece->variable == '\0' && piece->octet == '%')
		return "ends with an unfinished variable";
	if (piece->variable == '\0')
		return piece->octet >= 0x21 && piece->octet <= 0x7e
			       ? NULL
			       : "holds an octet that no unique-id may have";
	if (strchr("uvfg%", piece->variable) == NULL) {
		snprintf(wrong, UIDL_PATTERN_WRONG_SIZE,
			 "holds %%%c where only %%u, %%v, %%f, %%g and %%%% are known",
			 piece->variable);
		return wrong;
	}
	if (piece->hex && strchr("uv", piece->variable) == NULL)
		return "wants hexadecimal of what is no number";
	if (piece->width > NAME_ID_MAX)
		return "holds a width that no unique-id may have";
	return NULL;
}

const char *uidl_pattern_check(const char *pattern, char wrong[UIDL_PATTERN_WRONG_SIZE])
{
	if (strlen(pattern) > UIDL_PATTERN_MAX)
		return "is too long";
	bool distinct = false;
	while (*pattern != '\0') {
		struct piece piece;
		pattern = next_piece(pattern, &piece);
		const char *problem = piece_check(&piece, wrong);
		if (problem != NULL)
			return problem;
		distinct = distinct ||
			   (piece.variable != '\0' && strchr("ufg", piece.variable) != NULL);
	}
	return distinct ? NULL : "must hold %u, %f or %g, or all messages have one unique-id";
}

/* A unique-id that is being put together; one too long keeps a length that says so. */
struct draft {
	char *text;
	size_t length;
};

static void append(struct draft *draft, const char *text, size_t length)
{
	if (draft->length > NAME_ID_MAX || length > NAME_ID_MAX - draft->length) {
		draft->length = NAME_ID_MAX + 1;
		return;
	}
	memcpy(draft->text + draft->length, text, length);
	draft->length += length;
}

static void append_piece(struct draft *draft, const struct piece *piece, const char *text,
			 size_t length)
{
	if (piece->zeros)
		for (size_t i = length; i < piece->width; i++)
			append(draft, "0", 1);
	else if (piece->width > 0 && length > piece->width)
		length = piece->width;
	append(draft, text, length);
}

static void append_number(struct draft *draft, const struct piece *piece, uint32_t number)
{
	static const char digits[] = "0123456789abcdef";
	char text[NUMBER_SIZE];
	size_t length;
	if (piece->hex) {
		length = 1;
		for (uint32_t rest = number >> 4; rest > 0; rest >>= 4)
			length++;
		for (size_t i = length; i-- > 0; number >>= 4)
			text[i] = digits[number & 15];
	} else {
		length = number_format(number, text);
	}
	append_piece(draft, piece, text, length);
}

size_t uidl_pattern_expand(const char *pattern, const struct uidl_values *values,
			   char id[NAME_ID_SIZE])
{
	struct draft draft = {.text = id};
	while (*pattern != '\0' && draft.length <= NAME_ID_MAX) {
		struct piece piece;
		pattern = next_piece(pattern, &piece);
		switch (piece.variable) {
		case 'u':
			append_number(&draft, &piece, values->uid);
			break;
		case 'v':
			append_number(&draft, &piece, values->validity);
			break;
		case 'f':
			append_piece(&draft, &piece, values->name, values->name_length);
			break;
		case 'g':
			append_piece(&draft, &piece, values->guid, values->guid_length);
			break;
		default:
			append_piece(&draft, &piece, &piece.octet, 1);
			break;
		}
	}
	if (!name_is_unique_id(id, draft.length))
		return 0;
	id[draft.length] = '\0';
	return draft.length;
}
