/*
 * Ordered lists of listeners, and emissions that survive listeners being attached and detached at
 * any moment, also from within. Knows no event: the caller asks for one listener after the other.
 * For one thread.
 */
#ifndef POP3_EMITTER_EMITTER_H
#define POP3_EMITTER_EMITTER_H

#include "pop3_emitter.h"

struct emission;

struct emitter {
	struct pop3_link listeners;
	struct emission *running; /* the innermost of the emissions under way */
};

/* One emission under way; lives on the stack of who emits. */
struct emission {
	struct emitter *emitter; /* NULL once the emitter is gone */
	struct pop3_link *next;
	struct pop3_link *end; /* the first listener that was attached too late to hear it */
	struct emission *outer;
};

/* In place. */
void emitter_init(struct emitter *);
/* Detaches all listeners and ends the emissions under way. */
void emitter_fini(struct emitter *);

/* At the end of the list; 0, or -EINVAL when it is attached somewhere or has no handlers. */
int emitter_attach(struct emitter *, struct pop3_listener *);
/* From wherever it is. A detached listener is left alone. */
void emitter_detach(struct pop3_listener *);

/*
 * emission_begin(), then emission_next() until it gives NULL or enough is heard, then
 * emission_end() in the reverse order of the begins. It gives each listener that was attached at
 * the beginning and still is when its turn comes.
 */
void emission_begin(struct emission *, struct emitter *);
struct pop3_listener *emission_next(struct emission *);
void emission_end(struct emission *);

#endif
