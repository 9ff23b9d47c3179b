/* See source.h. */
#include "proto/source.h"

#include <unistd.h>

/*
 * close(2) is the one thing done here that is not arithmetic: the descriptor is ours from the
 * answer on, and only who drops it last knows when.
 */
void source_release(struct source *s)
{
	struct source old = *s;
	*s = (struct source){.kind = SOURCE_NONE};
	if (old.kind == SOURCE_DESCRIPTOR)
		close(old.descriptor);
	if (old.kind != SOURCE_NONE && old.release != NULL)
		old.release(old.state);
}
