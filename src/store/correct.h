/* Sizes that were not what the index or a file's name says, put right in the index. */
#ifndef POP3_STORE_CORRECT_H
#define POP3_STORE_CORRECT_H

#include "store/maildrop.h"

/*
 * Measure the messages that were noted as wrong, and write the index with their sizes; unless it is
 * not of this login any more. What fails is logged, and found again another time.
 */
void correct_index(const struct maildrop *);

#endif
