/* See alloc.h. A block that moves is the same block; only what appears and goes is counted. */
#include "oom/alloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
int __real_vasprintf(char **text, const char *format, va_list arguments);
char *__real_realpath(const char *path, char *resolved);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *data);
void __real_free(void *block);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
int __wrap_vasprintf(char **text, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *__wrap_realpath(const char *path, char *resolved);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *data);
void __wrap_free(void *block);

static atomic_ulong count;
static atomic_ulong failing; /* the number of the one that fails; 0 = none */
static atomic_bool failed;
static atomic_long live;

void alloc_arm(unsigned long n)
{
	count = 0;
	failed = false;
	failing = n;
}

unsigned long alloc_disarm(void)
{
	failing = 0;
	return count;
}

bool alloc_failed(void)
{
	return failed;
}

long alloc_live(void)
{
	return live;
}

/* Is it this one's turn to fail? Sets errno. */
static bool fails(void)
{
	unsigned long number = atomic_fetch_add(&count, 1) + 1;
	if (number != failing)
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(number, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	void *block = __real_realloc(old, size);
	return old == NULL ? counted(block) : block;
}

void *__wrap_reallocarray(void *old, size_t number, size_t size)
{
	if (fails())
		return NULL;
	void *block = __real_reallocarray(old, number, size);
	return old == NULL ? counted(block) : block;
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : counted(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t length)
{
	return fails() ? NULL : counted(__real_strndup(text, length));
}

int __wrap_vasprintf(char **text, const char *format, va_list arguments)
{
	if (fails())
		return -1;
	int length = __real_vasprintf(text, format, arguments);
	live += length >= 0;
	return length;
}

int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = __wrap_vasprintf(text, format, arguments);
	va_end(arguments);
	return length;
}

char *__wrap_realpath(const char *path, char *resolved)
{
	if (resolved != NULL)
		return __real_realpath(path, resolved);
	return fails() ? NULL : counted(__real_realpath(path, NULL));
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *data)
{
	return fails() ? EAGAIN : __real_pthread_create(thread, attributes, run, data);
}

void __wrap_free(void *block)
{
	live -= block != NULL;
	__real_free(block);
}
