#include "dataplane/aead_dpdk.h"

#include <assert.h>
#include <rte_bus_vdev.h>
#include <rte_cryptodev.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <stdio.h>

#define DESCRIPTORS 512
#define CCM_AAD_AT 18  /* rte_crypto_sym.h: the first 18 bytes of the AAD's memory are the driver's own for CCM */
#define CCM_NONCE_AT 1 /* and so is the first byte of the IV */
#define CCM_IV_SIZE 16
/* A device that takes jobs and gives none back for so many polls is broken, not slow. */
#define POLLS_MAX 10000000u

static_assert(DESCRIPTORS >= AEAD_BURST_MAX, "a burst fits the device's queue");

/* What an operation carries behind the library's part. */
struct operation_data {
    uint8_t iv[CCM_IV_SIZE];
    uint8_t aad[CCM_AAD_AT + AEAD_AAD_MAX + 16]; /* padded to whole blocks by some drivers */
};

/* An expanded key. The driver's session holds the length of the additional data too, which a key sees in a few sizes
 * (a Partial IV has one to five bytes). */
struct cached_key {
    uint64_t id;
    uint8_t aad_size;
    uint64_t pass; /* in which it was used last: until that ends the driver reads the session */
    void *session; /* NULL: none */
};

struct aead {
    unsigned queue;
    uint64_t key_mask;
    uint64_t pass;
    struct cached_key *keys;
    struct rte_mempool *sessions; /* one for each entry of `keys`, so that it never runs out */
    struct rte_crypto_op *ops[AEAD_BURST_MAX];
    struct rte_mbuf *shells[AEAD_BURST_MAX];
};

static struct {
    uint8_t device;
    bool started;
    char driver[64];
    unsigned keys;
    struct rte_mempool *ops, *shells;
} cipher;

static bool fail(char *error, size_t error_size, const char *what)
{
    snprintf(error, error_size, "cryptodev: %s: %s", what, rte_strerror(rte_errno));
    return false;
}

static int find_device(const struct aead_dpdk_options *options)
{
    if (options->device)
        return rte_cryptodev_get_dev_id(options->device);
    static const char *const drivers[] = {"crypto_aesni_mb", "crypto_openssl"};
    char arguments[64];
    snprintf(arguments, sizeof arguments, "max_nb_queue_pairs=%u", options->workers);
    for (unsigned i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        int device = rte_cryptodev_get_dev_id(drivers[i]);
        if (device < 0 && rte_vdev_init(drivers[i], arguments) == 0)
            device = rte_cryptodev_get_dev_id(drivers[i]);
        if (device >= 0)
            return device;
    }
    return -1;
}

static bool takes_ccm(uint8_t device)
{
    const struct rte_cryptodev_sym_capability_idx index = {.type = RTE_CRYPTO_SYM_XFORM_AEAD,
                                                           .algo.aead = RTE_CRYPTO_AEAD_AES_CCM};
    const struct rte_cryptodev_symmetric_capability *found = rte_cryptodev_sym_capability_get(device, &index);
    return found && rte_cryptodev_sym_capability_check_aead(found, OSCORE_CCM_KEY_SIZE, OSCORE_CCM_TAG_SIZE,
                                                            AEAD_AAD_MAX, OSCORE_CCM_NONCE_SIZE) == 0;
}

/* Operations and packet shells for a burst a worker. */
static bool take_memory(const struct aead_dpdk_options *options)
{
    unsigned each = options->workers * AEAD_BURST_MAX;
    int socket = (int)rte_socket_id();
    cipher.ops = rte_crypto_op_pool_create("aead_ops", RTE_CRYPTO_OP_TYPE_SYMMETRIC, each, 0,
                                           sizeof(struct operation_data), socket);
    cipher.shells = rte_pktmbuf_pool_create("aead_shells", each, 0, 0, RTE_PKTMBUF_HEADROOM, socket);
    return cipher.ops && cipher.shells;
}

bool aead_dpdk_start(const struct aead_dpdk_options *options, char *error, size_t error_size)
{
    int device = find_device(options);
    if (device < 0 || !takes_ccm((uint8_t)device))
        return fail(error, error_size, "no device takes AES-CCM");
    cipher.device = (uint8_t)device;
    cipher.keys = rte_align32pow2(options->keys_per_worker);
    struct rte_cryptodev_info info;
    rte_cryptodev_info_get(cipher.device, &info);
    snprintf(cipher.driver, sizeof cipher.driver, "%s", info.driver_name);
    struct rte_cryptodev_config config = {.socket_id = (int)rte_socket_id(),
                                          .nb_queue_pairs = (uint16_t)options->workers,
                                          .ff_disable = RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO};
    if (rte_cryptodev_configure(cipher.device, &config) != 0)
        return fail(error, error_size, "cannot be configured");
    if (!take_memory(options))
        return fail(error, error_size, "no memory");
    for (unsigned i = 0; i < options->workers; i++) {
        const struct rte_cryptodev_qp_conf queue = {.nb_descriptors = DESCRIPTORS};
        if (rte_cryptodev_queue_pair_setup(cipher.device, (uint16_t)i, &queue, config.socket_id) != 0)
            return fail(error, error_size, "queue pair");
    }
    if (rte_cryptodev_start(cipher.device) != 0)
        return fail(error, error_size, "cannot be started");
    cipher.started = true;
    return true;
}

const char *aead_dpdk_driver(void)
{
    return cipher.driver;
}

struct aead *aead_dpdk_worker(unsigned worker)
{
    struct aead *aead = rte_zmalloc("aead", sizeof *aead, RTE_CACHE_LINE_SIZE);
    if (!aead)
        return NULL;
    char name[32];
    snprintf(name, sizeof name, "aead_keys_%u", worker);
    aead->sessions = rte_cryptodev_sym_session_pool_create(
        name, cipher.keys, rte_cryptodev_sym_get_private_session_size(cipher.device), 0, 0, (int)rte_socket_id());
    aead->queue = worker;
    aead->key_mask = cipher.keys - 1;
    aead->keys = rte_zmalloc("aead", cipher.keys * sizeof *aead->keys, RTE_CACHE_LINE_SIZE);
    if (!aead->keys || !aead->sessions ||
        rte_crypto_op_bulk_alloc(cipher.ops, RTE_CRYPTO_OP_TYPE_SYMMETRIC, aead->ops, AEAD_BURST_MAX) !=
            AEAD_BURST_MAX ||
        rte_pktmbuf_alloc_bulk(cipher.shells, aead->shells, AEAD_BURST_MAX) != 0)
        return NULL;
    return aead;
}

void aead_dpdk_stop(void)
{
    if (!cipher.started)
        return;
    rte_cryptodev_stop(cipher.device);
    rte_cryptodev_close(cipher.device);
    cipher.started = false;
}

static struct cached_key *entry_of(struct aead *aead, uint64_t key_id, uint8_t aad_size)
{
    /* Ids count up, two for each context: the product spreads the sizes of one id apart. */
    return &aead->keys[(key_id + aad_size * UINT64_C(0x9e3779b1)) & aead->key_mask];
}

static void wipe(struct aead *aead, struct cached_key *entry)
{
    if (!entry->session)
        return;
    rte_cryptodev_sym_session_free(cipher.device, entry->session);
    /* The pool is this worker's own: until its next session_create the memory is free and nobody else's. */
    oscore_wipe(entry->session, aead->sessions->elt_size);
    *entry = (struct cached_key){0};
}

void aead_forget(struct aead *aead, uint64_t key_id)
{
    for (uint8_t size = 1; size <= AEAD_AAD_MAX; size++) {
        struct cached_key *entry = entry_of(aead, key_id, size);
        if (entry->id == key_id && entry->aad_size == size)
            wipe(aead, entry);
    }
}

void aead_forget_all(struct aead *aead)
{
    for (uint64_t i = 0; i <= aead->key_mask; i++)
        wipe(aead, &aead->keys[i]);
}

/* Whether the job's key wants a place that another of this pass is using. */
static bool must_wait(struct aead *aead, const struct aead_job *job)
{
    const struct cached_key *entry = entry_of(aead, job->key_id, job->aad_size);
    return entry->session && entry->pass == aead->pass &&
           (entry->id != job->key_id || entry->aad_size != job->aad_size);
}

static void *session_of(struct aead *aead, const struct aead_job *job)
{
    struct cached_key *entry = entry_of(aead, job->key_id, job->aad_size);
    if (entry->session && entry->id == job->key_id && entry->aad_size == job->aad_size) {
        entry->pass = aead->pass;
        return entry->session;
    }
    wipe(aead, entry);
    struct rte_crypto_sym_xform form = {
        .type = RTE_CRYPTO_SYM_XFORM_AEAD,
        .aead = {.op = job->seal ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT,
                 .algo = RTE_CRYPTO_AEAD_AES_CCM,
                 .key = {.data = job->key, .length = OSCORE_CCM_KEY_SIZE},
                 .iv = {.offset = sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op),
                        .length = OSCORE_CCM_NONCE_SIZE},
                 .digest_length = OSCORE_CCM_TAG_SIZE,
                 .aad_length = job->aad_size},
    };
    entry->session = rte_cryptodev_sym_session_create(cipher.device, &form, aead->sessions);
    entry->id = job->key_id;
    entry->aad_size = job->aad_size;
    entry->pass = aead->pass;
    return entry->session;
}

/* A packet of the library's that is nothing but a view of the job's bytes. */
static void wrap(struct rte_mbuf *shell, const struct aead_job *job)
{
    shell->buf_addr = job->data;
    /* Software reads virtual addresses; a device behind an IOMMU with IOVA as VA takes the same. */
    rte_mbuf_iova_set(shell, (rte_iova_t)(uintptr_t)job->data);
    shell->data_off = 0;
    shell->buf_len = shell->data_len = (uint16_t)(job->size + OSCORE_CCM_TAG_SIZE);
    shell->pkt_len = shell->data_len;
}

static bool fill(struct aead *aead, unsigned i, struct aead_job *job)
{
    struct rte_crypto_op *op = aead->ops[i];
    void *session = session_of(aead, job);
    if (!session)
        return false;
    __rte_crypto_op_reset(op, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
    struct operation_data *data = (struct operation_data *)(op->sym + 1);
    memcpy(data->iv + CCM_NONCE_AT, job->nonce, OSCORE_CCM_NONCE_SIZE);
    memcpy(data->aad + CCM_AAD_AT, job->aad, AEAD_AAD_MAX);
    wrap(aead->shells[i], job);
    op->sess_type = RTE_CRYPTO_OP_WITH_SESSION;
    op->sym->session = session;
    op->sym->m_src = aead->shells[i];
    op->sym->m_dst = NULL;
    op->sym->aead.data.offset = 0;
    op->sym->aead.data.length = job->size;
    op->sym->aead.aad.data = data->aad;
    op->sym->aead.aad.phys_addr = (rte_iova_t)(uintptr_t)data->aad;
    op->sym->aead.digest.data = job->data + job->size;
    op->sym->aead.digest.phys_addr = (rte_iova_t)(uintptr_t)(job->data + job->size);
    return true;
}

/* One pass of the driver over the jobs from `from` on, up to one whose key has to take the place of another's that this
 * pass uses. Returns the job it ends before: at least one further. */
static unsigned run_pass(struct aead *aead, struct aead_job *jobs[], unsigned from, unsigned n)
{
    struct rte_crypto_op *out[AEAD_BURST_MAX], *done[AEAD_BURST_MAX];
    unsigned filled = 0, given = 0, taken = 0, end = from;
    aead->pass++;
    for (; end < n && !must_wait(aead, jobs[end]); end++) {
        aead->ops[end]->status = RTE_CRYPTO_OP_STATUS_ERROR; /* stays so where no session can be had */
        if (fill(aead, end, jobs[end]))
            out[filled++] = aead->ops[end];
    }
    for (unsigned polls = 0; taken < filled; polls++) {
        assert(polls < POLLS_MAX);
        given +=
            rte_cryptodev_enqueue_burst(cipher.device, (uint16_t)aead->queue, out + given, (uint16_t)(filled - given));
        taken +=
            rte_cryptodev_dequeue_burst(cipher.device, (uint16_t)aead->queue, done + taken, (uint16_t)(filled - taken));
    }
    return end;
}

void aead_run(struct aead *aead, struct aead_job *jobs[], unsigned n)
{
    assert(n <= AEAD_BURST_MAX);
    for (unsigned from = 0; from < n;)
        from = run_pass(aead, jobs, from, n);
    for (unsigned i = 0; i < n; i++)
        jobs[i]->ok = aead->ops[i]->status == RTE_CRYPTO_OP_STATUS_SUCCESS;
}
