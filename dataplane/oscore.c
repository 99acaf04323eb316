#include "dataplane/oscore.h"

#include <assert.h>
#include <sodium.h>

#include "dataplane/aead.h"
#include "dataplane/oscore_contexts.h"
#include "dataplane/oscore_window.h"
#include "keys/secret_memory.h"

static_assert(OSCORE_BURST_MAX <= AEAD_BURST_MAX, "a burst is one call of the cipher");
static_assert(OSCORE_AAD_MAX <= AEAD_AAD_MAX, "the cipher takes our authenticated data");

/* One message between its steps. */
struct step {
    struct oscore_option option;
    struct context_hint hint;
    struct context *context;
    uint64_t sequence;
    bool in_job;
};

struct oscore_worker {
    struct oscore *oscore;
    struct aead *aead;
    uint32_t revoked_seen;
    struct step steps[OSCORE_BURST_MAX];
    struct aead_job jobs[OSCORE_BURST_MAX];
    struct aead_job *ccm[OSCORE_BURST_MAX];
};

struct oscore_worker *oscore_worker_create(struct oscore *oscore, struct aead *aead)
{
    /* Without it libsodium keeps to its portable code, three times as slow. */
    struct oscore_worker *w = sodium_init() < 0 ? NULL : secret_memory_take(sizeof *w, NULL);
    if (w) {
        w->oscore = oscore;
        w->aead = aead;
    }
    return w;
}

void oscore_worker_destroy(struct oscore_worker *w)
{
    secret_memory_give(w, sizeof *w);
}

/* Expanded keys of contexts that went are wiped before the next burst. */
static void forget_revoked(struct oscore_worker *w)
{
    struct oscore *o = w->oscore;
    uint32_t count = atomic_load_explicit(&o->revoked_count, memory_order_acquire);
    if (count == w->revoked_seen)
        return;
    if (count - w->revoked_seen > CONTEXT_REVOKED_RING / 2)
        aead_forget_all(w->aead);
    else
        for (uint32_t i = w->revoked_seen; i != count; i++) {
            uint32_t serial = atomic_load_explicit(&o->revoked[i % CONTEXT_REVOKED_RING], memory_order_relaxed);
            aead_forget(w->aead, context_key_id(serial, false));
            aead_forget(w->aead, context_key_id(serial, true));
        }
    w->revoked_seen = count;
}

/* The cheap part: the option's form. */
static enum reason read_form(struct oscore_worker *w, struct oscore_request *r, struct step *s)
{
    const struct coap_option *option = coap_find(r->outer, COAP_OPTION_OSCORE);
    r->is_protected = false;
    r->binding = (struct oscore_binding){.slot = CONTEXT_NONE};
    if (!option || !oscore_option_read(option->value, &s->option) || s->option.piv.length == 0 || !s->option.has_kid ||
        r->outer->payload.length == 0)
        return REASON_OSCORE_FORM;
    if (s->option.kid.length > OSCORE_KID_MAX || s->option.kid_context.length > OSCORE_KID_CONTEXT_MAX)
        return REASON_OSCORE_CONTEXT;
    s->hint = context_hint(w->oscore, s->option.kid, s->option.kid_context);
    return REASON_NONE;
}

static void seal_or_open_chacha(struct aead_job *job)
{
    uint8_t *tag = job->data + job->size;
    if (job->seal) {
        crypto_aead_chacha20poly1305_ietf_encrypt_detached(job->data, tag, NULL, job->data, job->size, job->aad,
                                                           job->aad_size, NULL, job->nonce, job->key);
        job->ok = true;
    } else
        job->ok = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
                      job->data, NULL, job->data, job->size, tag, job->aad, job->aad_size, job->nonce, job->key) == 0;
}

/* Puts the context's algorithm to work: at once, or as one of the burst's jobs for the cipher. */
static void give_job(struct oscore_worker *w, const struct context *c, struct aead_job *job, unsigned *ccm_count)
{
    if (c->keys.alg == POINT_OSCORE_AES_CCM)
        w->ccm[(*ccm_count)++] = job;
    else
        seal_or_open_chacha(job);
}

static enum reason find_context(struct oscore_worker *w, struct oscore_request *r, struct step *s)
{
    uint32_t slot = context_find(w->oscore, s->hint, s->option.kid, s->option.kid_context);
    s->sequence = oscore_piv_read(s->option.piv);
    if (slot == CONTEXT_NONE || s->sequence >= OSCORE_WINDOW_LIMIT)
        return REASON_OSCORE_CONTEXT;
    r->binding.slot = slot;
    s->context = &w->oscore->contexts[slot];
    return REASON_NONE;
}

/* Replay, and what the cipher needs. */
static enum reason prepare_open(struct oscore_worker *w, struct oscore_request *r, struct step *s, struct aead_job *job,
                                unsigned *ccm_count)
{
    struct context *c = s->context;
    if (!window_is_fresh(atomic_load_explicit(&c->window, memory_order_relaxed), s->sequence))
        return REASON_OSCORE_REPLAY;
    struct bytes ciphertext = r->outer->payload;
    if (ciphertext.length <= c->keys.tag_size || ciphertext.length - c->keys.tag_size > AEAD_SIZE_MAX)
        return REASON_OSCORE_PROTECTION;
    struct oscore_binding *b = &r->binding;
    b->serial = atomic_load_explicit(&c->serial, memory_order_relaxed);
    b->piv_size = (uint8_t)s->option.piv.length;
    memcpy(b->piv, s->option.piv.data, b->piv_size);
    /* The request's buffer is ours to write to (oscore.h). */
    job->data = (uint8_t *)(uintptr_t)ciphertext.data;
    job->size = (uint16_t)(ciphertext.length - c->keys.tag_size);
    job->key = c->keys.recipient_key;
    job->key_id = context_key_id(b->serial, false);
    job->seal = false;
    job->aad_size = oscore_aad(c->keys.alg, s->option.kid, s->option.piv, job->aad);
    uint8_t nonce[OSCORE_IV_MAX];
    oscore_nonce(c->keys.common_iv, c->keys.nonce_size, s->option.kid, s->option.piv, nonce);
    memcpy(job->nonce, nonce, sizeof job->nonce);
    s->in_job = true;
    give_job(w, c, job, ccm_count);
    return REASON_NONE;
}

/* Only a point that talks to this start of the appliance can know it. */
static void echo_of(const struct oscore *o, const struct oscore_binding *b, uint8_t echo[OSCORE_ECHO_SIZE])
{
    uint64_t mac = keyed_hash_of(&o->echo, (struct bytes){(const uint8_t *)&b->serial, sizeof b->serial});
    memcpy(echo, &mac, OSCORE_ECHO_SIZE);
}

/* Takes the number of an authentic request: one worker wins each number. */
static enum reason take_number(struct oscore *o, struct oscore_request *r, const struct step *s)
{
    struct oscore_binding *b = &r->binding;
    uint64_t window = atomic_load_explicit(&s->context->window, memory_order_relaxed), after;
    do {
        if (!window_is_fresh(window, s->sequence))
            return REASON_OSCORE_REPLAY;
        after = window_after(window, s->sequence);
        if (window == OSCORE_WINDOW_UNSYNCHRONISED) {
            const struct coap_option *echo = coap_find(&r->inner, COAP_OPTION_ECHO);
            echo_of(o, b, r->echo);
            b->own_piv = true;
            if (!echo || echo->value.length != OSCORE_ECHO_SIZE ||
                sodium_memcmp(echo->value.data, r->echo, OSCORE_ECHO_SIZE) != 0)
                return REASON_OSCORE_ECHO;
            after = window_synchronised(s->sequence);
        }
    } while (!atomic_compare_exchange_weak_explicit(&s->context->window, &window, after, memory_order_acq_rel,
                                                    memory_order_relaxed));
    b->own_piv = false;
    return REASON_NONE;
}

static enum reason finish_open(struct oscore_worker *w, struct oscore_request *r, struct step *s,
                               const struct aead_job *job)
{
    if (!job->ok)
        return REASON_OSCORE_PROTECTION;
    r->point = s->context->point;
    enum coap_error form = coap_parse_options((struct bytes){job->data + 1, (size_t)job->size - 1}, &r->inner);
    if (form != COAP_OK)
        r->inner.option_count = 0;
    enum reason why = take_number(w->oscore, r, s);
    r->is_protected = why != REASON_OSCORE_REPLAY; /* then the nonce is the winner's */
    r->inner.type = r->outer->type;
    r->inner.id = r->outer->id;
    r->inner.token = r->outer->token;
    r->inner.token_length = r->outer->token_length;
    r->inner.code = job->data[0];
    return why == REASON_NONE && form != COAP_OK ? REASON_COAP_FORMAT : why;
}

void oscore_unprotect_burst(struct oscore_worker *w, struct oscore_request *requests[], unsigned n)
{
    assert(n <= OSCORE_BURST_MAX);
    unsigned ccm_count = 0;
    forget_revoked(w);
    for (unsigned i = 0; i < n; i++)
        requests[i]->reason = read_form(w, requests[i], &w->steps[i]);
    for (unsigned i = 0; i < n; i++)
        if (requests[i]->reason == REASON_NONE)
            requests[i]->reason = find_context(w, requests[i], &w->steps[i]);
    for (unsigned i = 0; i < n; i++) {
        w->steps[i].in_job = false;
        if (requests[i]->reason == REASON_NONE)
            requests[i]->reason = prepare_open(w, requests[i], &w->steps[i], &w->jobs[i], &ccm_count);
    }
    if (ccm_count)
        aead_run(w->aead, w->ccm, ccm_count);
    for (unsigned i = 0; i < n; i++) {
        if (w->steps[i].in_job)
            requests[i]->reason = finish_open(w, requests[i], &w->steps[i], &w->jobs[i]);
        /* Without an authentic request there is nothing to bind an answer to. */
        if (!requests[i]->is_protected)
            requests[i]->binding.slot = CONTEXT_NONE;
    }
}

/* A number of our own, never taken before in any start. */
static bool own_number(const struct oscore *o, struct context *c, uint64_t *number)
{
    uint32_t own = atomic_load_explicit(&c->own, memory_order_relaxed);
    do {
        if (own > CONTEXT_OWN_MAX)
            return false;
    } while (
        !atomic_compare_exchange_weak_explicit(&c->own, &own, own + 1, memory_order_relaxed, memory_order_relaxed));
    *number = (uint64_t)o->start << 24 | own;
    return true;
}

static bool prepare_seal(struct oscore_worker *w, struct oscore_request *r, struct step *s, struct aead_job *job,
                         unsigned *ccm_count)
{
    struct oscore_binding *b = &r->binding;
    if (b->slot == CONTEXT_NONE || b->answered || r->response_size == 0 || r->response_size > AEAD_SIZE_MAX)
        return false;
    struct context *c = s->context = &w->oscore->contexts[b->slot];
    if (atomic_load_explicit(&c->serial, memory_order_acquire) != b->serial)
        return false;
    struct bytes kid = {c->ids.point_id, c->ids.point_id_size}, request_piv = {b->piv, b->piv_size};
    struct bytes id = kid, piv = request_piv;
    uint8_t own_piv[OSCORE_PIV_MAX], nonce[OSCORE_IV_MAX];
    struct oscore_option option = {0};
    uint64_t number;
    if (b->own_piv) {
        if (!own_number(w->oscore, c, &number))
            return false;
        piv = option.piv = (struct bytes){own_piv, oscore_piv_write(number, own_piv)};
        id = (struct bytes){c->ids.appliance_id, c->ids.appliance_id_size};
    }
    b->answered = true;
    r->option_size = (uint8_t)oscore_option_write(&option, r->option);
    oscore_nonce(c->keys.common_iv, c->keys.nonce_size, id, piv, nonce);
    memcpy(job->nonce, nonce, sizeof job->nonce);
    job->aad_size = oscore_aad(c->keys.alg, kid, request_piv, job->aad);
    job->data = r->response;
    job->size = r->response_size;
    job->key = c->keys.sender_key;
    job->key_id = context_key_id(b->serial, true);
    job->seal = true;
    give_job(w, c, job, ccm_count);
    return true;
}

void oscore_protect_burst(struct oscore_worker *w, struct oscore_request *requests[], unsigned n)
{
    assert(n <= OSCORE_BURST_MAX);
    unsigned ccm_count = 0;
    forget_revoked(w);
    for (unsigned i = 0; i < n; i++)
        w->steps[i].in_job = prepare_seal(w, requests[i], &w->steps[i], &w->jobs[i], &ccm_count);
    if (ccm_count)
        aead_run(w->aead, w->ccm, ccm_count);
    for (unsigned i = 0; i < n; i++) {
        bool sealed = w->steps[i].in_job && w->jobs[i].ok;
        requests[i]->response_size =
            sealed ? (uint16_t)(requests[i]->response_size + w->steps[i].context->keys.tag_size) : 0;
    }
}
