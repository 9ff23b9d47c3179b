/*
 * Who owns a deferral: from request_defer() to request_answer() the listener, then the port's
 * queue, then whoever takes it. The one race is an answer against deferral_abandon() or
 * port_close(); both sides decide under the port's lock, so exactly one of them frees it.
 */
#include "emitter/port.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct port {
	pthread_mutex_t lock;
	struct pop3_link answered;
	size_t references; /* one of the owner's, one of each deferral */
	bool closed;
	void (*wake)(void *data);
	void *data;
};

/* A deferral's allocation: the struct, then the answer. */
struct deferral_memory {
	struct deferral deferral;
	max_align_t answer[];
};

struct port *port_new(void (*wake)(void *data), void *data)
{
	struct port *p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	list_init(&p->answered);
	p->references = 1;
	p->wake = wake;
	p->data = data;
	return p;
}

static void port_unref(struct port *p)
{
	pthread_mutex_lock(&p->lock);
	bool last = --p->references == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

struct deferral *port_take(struct port *p)
{
	struct deferral *d = NULL;
	pthread_mutex_lock(&p->lock);
	if (!list_empty(&p->answered)) {
		d = list_entry(p->answered.next, struct deferral, queued);
		list_remove(&d->queued);
	}
	pthread_mutex_unlock(&p->lock);
	return d;
}

void port_close(struct port *p)
{
	pthread_mutex_lock(&p->lock);
	p->closed = true;
	pthread_mutex_unlock(&p->lock);

	struct deferral *d = port_take(p);
	while (d != NULL) {
		deferral_free(d);
		d = port_take(p);
	}
	port_unref(p);
}

void request_init(struct pop3_request *r, const struct request_type *type, void *answer,
		  struct port *port, void *origin)
{
	*r = (struct pop3_request){REQUEST_OPEN, type, answer, port, NULL, origin};
}

void *request_defer(struct pop3_request *r, const void *event)
{
	if (r->state != REQUEST_OPEN)
		return NULL;
	struct deferral_memory *memory = calloc(1, sizeof *memory + r->type->answer_size);
	if (memory == NULL)
		return NULL;
	struct deferral *d = &memory->deferral;
	d->event = r->type->copy(event, &d->request);
	if (d->event == NULL) {
		free(memory);
		return NULL;
	}
	request_init(&d->request, r->type, memory->answer, r->port, r->origin);
	d->request.deferral = d;
	d->request.state = REQUEST_DEFERRED;
	d->origin = r->origin;
	pthread_mutex_lock(&r->port->lock);
	r->port->references++;
	pthread_mutex_unlock(&r->port->lock);
	r->deferral = d;
	r->state = REQUEST_DEFERRED;
	return d->event;
}

/* True: the answer waits in the queue. False: nobody will take it. */
static bool post(struct port *p, struct deferral *d)
{
	pthread_mutex_lock(&p->lock);
	bool wanted = !p->closed && !d->abandoned;
	if (wanted) {
		list_insert(&p->answered, &d->queued);
		p->wake(p->data);
	}
	pthread_mutex_unlock(&p->lock);
	return wanted;
}

static int answer_deferred(struct deferral *d, const void *answer)
{
	const struct request_type *type = d->request.type;
	memcpy(d->request.answer, answer, type->answer_size);
	d->request.state = REQUEST_ANSWERED;
	type->discard(d->event);
	if (post(d->request.port, d))
		return 0;
	deferral_free(d);
	return -ECANCELED;
}

int request_answer(struct pop3_request *r, const void *answer)
{
	/* The listener's own request in a deferred copy is its deferral's. */
	if (r->deferral != NULL && r == &r->deferral->request)
		return answer_deferred(r->deferral, answer);

	if (r->state != REQUEST_OPEN) {
		r->type->release(answer);
		return -EALREADY;
	}
	memcpy(r->answer, answer, r->type->answer_size);
	r->state = REQUEST_ANSWERED;
	return 0;
}

void *deferral_answer(struct deferral *d)
{
	return d->request.answer;
}

bool deferral_abandon(struct deferral *d)
{
	struct port *p = d->request.port;
	pthread_mutex_lock(&p->lock);
	bool answered = list_linked(&d->queued);
	if (answered)
		list_remove(&d->queued);
	else
		d->abandoned = true;
	pthread_mutex_unlock(&p->lock);
	return answered;
}

void deferral_free(struct deferral *d)
{
	struct port *p = d->request.port;
	d->request.type->release(d->request.answer);
	free(d);
	port_unref(p);
}
