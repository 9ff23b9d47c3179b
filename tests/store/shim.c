/*
 * Preloaded into the program: lets system calls on chosen paths fail, one at a time, and keeps a
 * record of all of them. It is told what to do while the program runs, by way of a file that both
 * have mapped, named by POP3_SHIM; tests/store/matrix_shim.py is the other side and knows the
 * layout and the numbers. A library call that is not here goes unseen; test_matrix.py finds that
 * out from strace(1).
 *
 * Each call is made as the system call that the C library would make, with syscall(2).
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* ---- What both sides know ---- */

enum row {
	ROW_NONE,
	ROW_OPENAT,
	ROW_OPENAT2,
	ROW_NEWFSTATAT,
	ROW_STATX,
	ROW_GETDENTS64,
	ROW_READ,
	ROW_PREAD64,
	ROW_PREADV2,
	ROW_LSEEK,
	ROW_WRITE,
	ROW_FSYNC,
	ROW_FLOCK,
	ROW_CLOSE,
	ROW_MKDIR,
	ROW_MKDIRAT,
	ROW_LINKAT,
	ROW_RENAME,
	ROW_RENAMEAT,
	ROW_RENAMEAT2,
	ROW_UNLINKAT,
	ROW_RMDIR,
	ROW_SENDTO, /* never fails: replies, to be seen in order with the rest */
};

/* What a file system or kernel may be without. */
enum lack {
	LACK_TMPFILE = 1,    /* files without a name */
	LACK_NOREPLACE = 2,  /* renameat2(2) */
	LACK_NOWAIT = 4,     /* preadv2(2) */
	LACK_CACHED = 8,     /* openat2(2) */
	LACK_DIRECTORY = 16, /* locks on directories */
};

#define PATH_SIZE   256
#define RECORDS_MAX 4096
#define LOCK_FILE   ".pop3-emitter.lock"
/* Room for one name at least, the longest. */
#define NAMES_SHORT  288
#define DENIED_BY_US 1
#define LACKING      2

struct record {
	uint32_t row;
	int32_t result; /* or a negative errno value */
	uint32_t flags; /* DENIED_BY_US, LACKING */
	char path[PATH_SIZE - 12];
};

struct control {
	_Atomic uint32_t active;
	uint32_t row;   /* the calls to fail */
	uint32_t first; /* the first of them, from 1 on */
	uint32_t times;
	int32_t fault; /* an errno value; or negative: transfer so many octets at most */
	uint32_t lacks;
	char below[2][PATH_SIZE]; /* only paths that are these or below them */
	_Atomic uint32_t seen;    /* of the calls to fail, so far */
	_Atomic uint32_t hits;
	_Atomic uint32_t count; /* of records */
	struct record records[RECORDS_MAX];
};

static struct control *control;

/* ---- Beneath ---- */

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	static long (*_Atomic next)(long, ...);
	long (*make)(long, ...) = next;
	if (make == NULL) {
		void *found = dlsym(RTLD_NEXT, "syscall");
		memcpy(&make, &found, sizeof make);
		next = make;
	}
	return make(number, a, b, c, d, e, f);
}

#define CALL3(number, a, b, c)       call(number, a, (long)(b), (long)(c), 0, 0, 0)
#define CALL4(number, a, b, c, d)    call(number, a, (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(number, a, b, c, d, e) call(number, a, (long)(b), (long)(c), (long)(d), (long)(e), 0)

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("POP3_SHIM");
	int file =
		path == NULL ? -1 : (int)CALL4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (file < 0)
		return;
	void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CALL3(SYS_close, file, 0, 0);
	if (mapped != MAP_FAILED)
		control = mapped;
}

/* ---- Paths ---- */

/* The path of `name` seen from a directory's descriptor; without a name that of the descriptor. */
static void find_path(int descriptor, const char *name, char path[PATH_SIZE])
{
	char link[32];
	long length = 0;
	if (name == NULL || name[0] != '/') {
		snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
		length = CALL4(SYS_readlinkat, AT_FDCWD, link, path, PATH_SIZE - 1);
	}
	length = length < 0 ? 0 : length;
	path[length] = '\0';
	if (name != NULL && name[0] != '\0')
		snprintf(path + length, (size_t)(PATH_SIZE - length), "%s%s", length > 0 ? "/" : "",
			 name);
}

static bool is_below(const char *path, const char *top)
{
	size_t length = strlen(top);
	return length > 0 && strncmp(path, top, length) == 0 &&
	       (path[length] == '\0' || path[length] == '/');
}

/* ---- Calls ---- */

/* One call under way. `fault` is what is to become of it: 0, or as in struct control. */
struct visit {
	struct record *record;
	int fault;
};

static struct record *new_record(enum row row, const char *path)
{
	uint32_t number = atomic_fetch_add(&control->count, 1);
	if (number >= RECORDS_MAX)
		return NULL;
	struct record *record = &control->records[number];
	record->row = row;
	record->flags = 0;
	snprintf(record->path, sizeof record->path, "%.*s", (int)sizeof record->path - 1, path);
	return record;
}

static struct visit enter(enum row row, int descriptor, const char *name)
{
	char path[PATH_SIZE];
	struct visit v = {.record = NULL};
	if (control == NULL || atomic_load(&control->active) == 0)
		return v;
	int error = errno;
	find_path(descriptor, name, path);
	errno = error;
	if (!is_below(path, control->below[0]) && !is_below(path, control->below[1]))
		return v;
	v.record = new_record(row, path);
	if (row != control->row)
		return v;
	uint32_t number = atomic_fetch_add(&control->seen, 1) + 1;
	if (number >= control->first && number - control->first < control->times) {
		v.fault = control->fault;
		atomic_fetch_add(&control->hits, 1);
		if (v.record != NULL)
			v.record->flags = DENIED_BY_US;
	}
	return v;
}

static bool lacks(struct visit *v, enum lack lack, int error)
{
	if (v->record == NULL || v->fault != 0 || (control->lacks & lack) == 0)
		return false;
	v->record->flags = LACKING;
	v->fault = error;
	return true;
}

static long leave(const struct visit *v, long result)
{
	if (v->record != NULL)
		v->record->result = (int32_t)(result < 0 ? -errno : result);
	return result;
}

static long fail(const struct visit *v)
{
	errno = v->fault;
	return leave(v, -1);
}

static size_t shorten(const struct visit *v, size_t size)
{
	size_t most = v->fault < 0 ? (size_t)-v->fault : size;
	return most < size ? most : size;
}

/* ---- The library's functions ---- */

static int open_at(int directory, const char *path, int flags, unsigned mode)
{
	struct visit v = enter(ROW_OPENAT, directory, path);
	if ((flags & O_TMPFILE) == O_TMPFILE)
		lacks(&v, LACK_TMPFILE, EOPNOTSUPP);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL4(SYS_openat, directory, path, flags, mode));
}

static unsigned mode_of(int flags, va_list arguments)
{
	bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
	return creates ? va_arg(arguments, unsigned) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	unsigned mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_at(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int directory, const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	unsigned mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_at(directory, path, flags, mode);
}

/* Only for openat2(2), which has no function. */
EXPORT long syscall(long number, ...)
{
	long a[6];
	va_list arguments;
	va_start(arguments, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	struct visit v = {.record = NULL};
	const char *path;
	memcpy(&path, &a[1], sizeof path);
	if (number == SYS_openat2)
		v = enter(ROW_OPENAT2, (int)a[0], path);
	lacks(&v, LACK_CACHED, ENOSYS);
	if (v.fault > 0)
		return fail(&v);
	return leave(&v, call(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

static int stat_at(int directory, const char *path, struct stat *status, int flags)
{
	struct visit v = enter(ROW_NEWFSTATAT, directory, path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL4(SYS_newfstatat, directory, path, status, flags));
}

EXPORT int fstatat(int directory, const char *path, struct stat *status, int flags)
{
	return stat_at(directory, path, status, flags);
}

EXPORT int fstat(int descriptor, struct stat *status)
{
	return stat_at(descriptor, "", status, AT_EMPTY_PATH);
}

EXPORT int stat(const char *path, struct stat *status)
{
	return stat_at(AT_FDCWD, path, status, 0);
}

EXPORT int lstat(const char *path, struct stat *status)
{
	return stat_at(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

EXPORT int statx(int directory, const char *path, int flags, unsigned mask, struct statx *status)
{
	struct visit v = enter(ROW_STATX, directory, path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL5(SYS_statx, directory, path, flags, mask, status));
}

EXPORT ssize_t getdents64(int descriptor, void *names, size_t size)
{
	struct visit v = enter(ROW_GETDENTS64, descriptor, NULL);
	if (v.fault > 0)
		return fail(&v);
	size = v.fault < 0 && size > NAMES_SHORT ? NAMES_SHORT : size;
	return leave(&v, CALL3(SYS_getdents64, descriptor, names, size));
}

EXPORT ssize_t read(int descriptor, void *octets, size_t size)
{
	struct visit v = enter(ROW_READ, descriptor, NULL);
	if (v.fault > 0)
		return fail(&v);
	return leave(&v, CALL3(SYS_read, descriptor, octets, shorten(&v, size)));
}

EXPORT ssize_t pread(int descriptor, void *octets, size_t size, off_t offset)
{
	struct visit v = enter(ROW_PREAD64, descriptor, NULL);
	if (v.fault > 0)
		return fail(&v);
	return leave(&v, CALL4(SYS_pread64, descriptor, octets, shorten(&v, size), offset));
}

/* Of one part, as all that the program asks for. */
EXPORT ssize_t preadv2(int descriptor, const struct iovec *parts, int count, off_t offset,
		       int flags)
{
	struct visit v = enter(ROW_PREADV2, descriptor, NULL);
	lacks(&v, LACK_NOWAIT, EOPNOTSUPP);
	if (v.fault > 0)
		return fail(&v);
	const struct iovec part = {parts->iov_base, shorten(&v, parts->iov_len)};
	if (v.fault < 0)
		parts = &part;
	return leave(&v, call(SYS_preadv2, descriptor, (long)parts, count, offset, 0, flags));
}

EXPORT off_t lseek(int descriptor, off_t offset, int whence)
{
	struct visit v = enter(ROW_LSEEK, descriptor, NULL);
	if (v.fault > 0)
		return fail(&v);
	return leave(&v, CALL3(SYS_lseek, descriptor, offset, whence));
}

EXPORT ssize_t write(int descriptor, const void *octets, size_t size)
{
	struct visit v = enter(ROW_WRITE, descriptor, NULL);
	if (v.fault > 0)
		return fail(&v);
	return leave(&v, CALL3(SYS_write, descriptor, octets, shorten(&v, size)));
}

EXPORT int fsync(int descriptor)
{
	struct visit v = enter(ROW_FSYNC, descriptor, NULL);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL3(SYS_fsync, descriptor, 0, 0));
}

EXPORT int flock(int descriptor, int operation)
{
	struct visit v = enter(ROW_FLOCK, descriptor, NULL);
	if (v.record != NULL && strstr(v.record->path, LOCK_FILE) == NULL)
		lacks(&v, LACK_DIRECTORY, EBADF);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL3(SYS_flock, descriptor, operation, 0));
}

/* It is closed whatever is said: Linux frees a descriptor before it can fail. */
EXPORT int close(int descriptor)
{
	struct visit v = enter(ROW_CLOSE, descriptor, NULL);
	long result = CALL3(SYS_close, descriptor, 0, 0);
	return (int)(v.fault > 0 ? fail(&v) : leave(&v, result));
}

EXPORT int mkdir(const char *path, mode_t mode)
{
	struct visit v = enter(ROW_MKDIR, AT_FDCWD, path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, call(SYS_mkdir, (long)path, (long)mode, 0, 0, 0, 0));
}

EXPORT int mkdirat(int directory, const char *path, mode_t mode)
{
	struct visit v = enter(ROW_MKDIRAT, directory, path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL3(SYS_mkdirat, directory, path, mode));
}

EXPORT int linkat(int from, const char *path, int to, const char *new_path, int flags)
{
	struct visit v = enter(ROW_LINKAT, to, new_path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL5(SYS_linkat, from, path, to, new_path, flags));
}

EXPORT int rename(const char *path, const char *new_path)
{
	struct visit v = enter(ROW_RENAME, AT_FDCWD, new_path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, call(SYS_rename, (long)path, (long)new_path, 0, 0, 0, 0));
}

EXPORT int renameat(int from, const char *path, int to, const char *new_path)
{
	struct visit v = enter(ROW_RENAMEAT, to, new_path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL4(SYS_renameat, from, path, to, new_path));
}

EXPORT int renameat2(int from, const char *path, int to, const char *new_path, unsigned flags)
{
	struct visit v = enter(ROW_RENAMEAT2, to, new_path);
	if (flags != 0)
		lacks(&v, LACK_NOREPLACE, EINVAL);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL5(SYS_renameat2, from, path, to, new_path, flags));
}

EXPORT int unlinkat(int directory, const char *path, int flags)
{
	struct visit v = enter(ROW_UNLINKAT, directory, path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, CALL3(SYS_unlinkat, directory, path, flags));
}

EXPORT int rmdir(const char *path)
{
	struct visit v = enter(ROW_RMDIR, AT_FDCWD, path);
	if (v.fault > 0)
		return (int)fail(&v);
	return (int)leave(&v, call(SYS_rmdir, (long)path, 0, 0, 0, 0, 0));
}

EXPORT ssize_t send(int descriptor, const void *octets, size_t size, int flags)
{
	struct visit v = {.record = NULL};
	if (control != NULL && atomic_load(&control->active) != 0) {
		char text[PATH_SIZE];
		snprintf(text, sizeof text, "%.*s", (int)(size < 64 ? size : 64),
			 (const char *)octets);
		v.record = new_record(ROW_SENDTO, text);
	}
	long result = call(SYS_sendto, descriptor, (long)octets, (long)size, flags, 0, 0);
	return leave(&v, result);
}
