/* See uidlist.h: what the formats have in common. */
#include "store/uidlist.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

int uidlist_wrong(struct uidlist_report *report, const char *problem)
{
	report->problem = problem;
	return -EBADMSG;
}

int uidlist_line(struct uidlist_text *list, struct uidlist_report *report,
		 struct uidlist_text *line)
{
	if (list->left == 0)
		return 0;
	const char *end = memchr(list->next, '\n', list->left);
	size_t length = end == NULL ? list->left : (size_t)(end - list->next);
	report->line++;
	if (memchr(list->next, '\0', length) != NULL)
		return uidlist_wrong(report, "the line holds a NUL");
	if (end == NULL) {
		report->problem = "the line has no end, as if the list were cut off";
		return -EAGAIN;
	}
	*line = (struct uidlist_text){list->next, length};
	list->next += length + 1;
	list->left -= length + 1;
	if (length > 0 && line->next[length - 1] == '\r')
		line->left--;
	return 1;
}

int uidlist_header(struct uidlist_text *list, struct uidlist_report *report,
		   struct uidlist_text *line)
{
	int result = uidlist_line(list, report, line);
	if (result == 0)
		return uidlist_wrong(report, "the list is empty, without even a header");
	return result < 0 ? result : 0;
}

struct uidlist_text uidlist_field(struct uidlist_text *line)
{
	struct uidlist_text field = {line->next, 0};
	while (field.left < line->left && field.next[field.left] != ' ')
		field.left++;
	line->next += field.left;
	line->left -= field.left;
	while (line->left > 0 && *line->next == ' ') {
		line->next++;
		line->left--;
	}
	return field;
}

bool uidlist_number(const struct uidlist_text *field, uint64_t minimum, uint64_t maximum,
		    uint64_t *value)
{
	uint64_t number;
	if (!number_parse(field->next, field->left, maximum, &number) || number < minimum)
		return false;
	*value = number;
	return true;
}

size_t uidlist_base_length(const char *name, size_t length)
{
	const char *colon = length == 0 ? NULL : memchr(name, ':', length);
	return colon == NULL ? length : (size_t)(colon - name);
}
