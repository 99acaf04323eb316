#include "dataplane/key_preparer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct waiting {
    struct waiting *next;
    struct ed25519_key *key;
};

struct key_preparer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting *first, **last;
    struct ed25519_key *building;
    bool dropped; /* nobody wants `building` any more */
    bool stopped;
};

struct key_preparer *key_preparer_new(void)
{
    struct key_preparer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->last = &p->first;
    return p;
}

void key_preparer_free(struct key_preparer *p)
{
    assert(!p->first && !p->building);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

bool key_preparer_put(struct key_preparer *p, struct ed25519_key *key)
{
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting)
        return false;
    *waiting = (struct waiting){.key = key};
    pthread_mutex_lock(&p->lock);
    *p->last = waiting;
    p->last = &waiting->next;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return true;
}

static void take_out(struct key_preparer *p, struct waiting **link)
{
    struct waiting *waiting = *link;
    *link = waiting->next;
    if (!*link)
        p->last = link;
    free(waiting);
}

void key_preparer_drop(struct key_preparer *p, struct ed25519_key *key)
{
    pthread_mutex_lock(&p->lock);
    bool being_built = p->building == key;
    p->dropped |= being_built;
    struct waiting **link = &p->first;
    while (*link && (*link)->key != key)
        link = &(*link)->next;
    if (*link)
        take_out(p, link);
    pthread_mutex_unlock(&p->lock);
    if (!being_built)
        ed25519_key_free(key);
}

bool key_preparer_step(struct key_preparer *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->first) {
        p->building = p->first->key;
        take_out(p, &p->first);
    }
    struct ed25519_key *key = p->building;
    pthread_mutex_unlock(&p->lock);
    if (!key)
        return false;
    ed25519_key_build(key); /* where memory is out it goes on verifying slowly */
    pthread_mutex_lock(&p->lock);
    bool dropped = p->dropped;
    p->building = NULL;
    p->dropped = false;
    pthread_mutex_unlock(&p->lock);
    if (dropped)
        ed25519_key_free(key);
    return true;
}

bool key_preparer_wait(struct key_preparer *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->first && !p->stopped)
        pthread_cond_wait(&p->changed, &p->lock);
    bool go_on = !p->stopped;
    pthread_mutex_unlock(&p->lock);
    return go_on;
}

void key_preparer_stop(struct key_preparer *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopped = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}
