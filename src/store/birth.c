/* See birth.h. */
#include "store/birth.h"

#include "store/change.h"

bool births_exclude(const struct births *b, const struct folder_file *file, uint64_t length)
{
	if (!file->has_birth || change_is_before(&file->changed, &file->birth) ||
	    change_is_before(&file->birth, &b->sure))
		return false;
	return change_is_before(&b->last, &file->birth) || file->length != length;
}
