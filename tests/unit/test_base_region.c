/* Memory of any size (base/region.h). */
#include "unit/suite.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/region.h"

#define MEBI ((size_t)1 << 20)

/* Around what is asked of malloc(3) and what of the kernel, and of whole pages. */
static const size_t sizes[] = {0,
			       1,
			       2 * MEBI - 1,
			       2 * MEBI,
			       2 * MEBI + 1,
			       5 * MEBI + 4095,
			       5 * MEBI + 4096,
			       64 * MEBI + 7};
#define SIZES (sizeof sizes / sizeof *sizes)

/* The address space of this process in KiB. */
static unsigned long address_space(void)
{
	char line[128];
	unsigned long kibibytes = 0;
	FILE *status = fopen("/proc/self/status", "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(status);
	while (kibibytes == 0 && fgets(line, sizeof line, status) != NULL)
		sscanf(line, "VmSize: %lu kB", &kibibytes);
	fclose(status);
	return kibibytes;
}

static void all_octets_of_all_regions_are_apart(void)
{
	unsigned char *regions[SIZES];
	for (size_t i = 0; i < SIZES; i++) {
		regions[i] = region_new(sizes[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(regions[i]);
		CU_ASSERT_EQUAL((uintptr_t)regions[i] % sizeof(uint64_t), 0);
		memset(regions[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < SIZES; i++) {
		size_t right = 0;
		while (right < sizes[i] && regions[i][right] == i + 1)
			right++;
		CU_ASSERT_EQUAL(right, sizes[i]);
		region_free(regions[i], sizes[i]);
	}
}

static void what_is_freed_goes_back_to_the_system(void)
{
	unsigned long before = address_space();
	for (int i = 0; i < 100; i++) {
		void *region = region_new(5 * MEBI + 4095);
		CU_ASSERT_PTR_NOT_NULL(region);
		CU_ASSERT(address_space() < before + 6 * 1024);
		region_free(region, 5 * MEBI + 4095);
	}
	CU_ASSERT(address_space() < before + 1024);
}

static void what_cannot_be_had_is_null(void)
{
	CU_ASSERT_PTR_NULL(region_new(SIZE_MAX));
	CU_ASSERT_PTR_NULL(region_new(SIZE_MAX / 2));
	region_free(NULL, 0);
	region_free(NULL, SIZE_MAX);
}

static const struct test tests[] = {
	TEST(all_octets_of_all_regions_are_apart),
	TEST(what_is_freed_goes_back_to_the_system),
	TEST(what_cannot_be_had_is_null),
	TEST_END,
};
const struct test_suite suite_base_region = {"base_region", tests};
