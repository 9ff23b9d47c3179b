/* See grant.h. */
#include "store/grant.h"

#include "store/place.h"
#include "store/report.h"

enum store_result grant_open(const struct store_grant *grant, const struct log_sink *sink,
			     int *descriptor)
{
	const char *problem = "";
	int error = place_open(grant->maildrop, grant->home, descriptor, &problem);
	return error < 0 ? report_failure(grant, sink, problem, error) : STORE_OK;
}
