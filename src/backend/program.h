/*
 * Starting a program that reads from a pipe, with nothing of ours: standard input, output and
 * error are /dev/null, descriptor 3 is the pipe, there is no other; of the environment there is
 * PATH, and signals do what they do by default. It leads a group of its own.
 */
#ifndef POP3_BACKEND_PROGRAM_H
#define POP3_BACKEND_PROGRAM_H

#include <sys/types.h>

/* The most words of a command. */
#define PROGRAM_WORDS_MAX 32

/*
 * Start a command: an absolute path and arguments, blanks between. 0, and *pid is a process to be
 * waited for, *writing the other end of its pipe, which does not block. Else a negative errno
 * value: -E2BIG, too many words; -EINVAL, none; or what a system call said.
 */
int program_start(const char *command, pid_t *pid, int *writing);

/*
 * Can this process run the command, and can nobody change it who should not? NULL, or a phrase that
 * says what is wrong, to go behind the program's name; valid until this thread's next call.
 */
const char *program_check(const char *command);

#endif
