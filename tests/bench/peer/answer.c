#include <lmdb.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "keys/credential.h"
#include "keys/status_list.h"
#include "tests/bench/peer/peer.h"

#define STATUS_MAP_SIZE (UINT64_C(4) << 30)
#define STATUS_KEY_MAX (CREDENTIAL_URI_MAX + 4)
#define PUTS_PER_COMMIT 100000

struct peer {
    struct peer_options options;
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi table;
    uint64_t now_s;
};

struct peer_status {
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi table;
    uint64_t count;
};

static size_t status_key(struct bytes uri, uint32_t index, uint8_t room[STATUS_KEY_MAX])
{
    memcpy(room, uri.data, uri.length);
    memcpy(room + uri.length, &index, 4);
    return uri.length + 4;
}

static MDB_env *open_environment(const char *directory, unsigned flags)
{
    MDB_env *environment;
    if (mdb_env_create(&environment) != 0)
        return NULL;
    mdb_env_set_mapsize(environment, STATUS_MAP_SIZE);
    if (mdb_env_open(environment, directory, flags, 0644) == 0)
        return environment;
    mdb_env_close(environment);
    return NULL;
}

struct peer_status *peer_status_create(const char *directory)
{
    struct peer_status *status = calloc(1, sizeof *status);
    status->environment = open_environment(directory, MDB_NOSYNC);
    if (status->environment && mdb_txn_begin(status->environment, NULL, 0, &status->transaction) == 0 &&
        mdb_dbi_open(status->transaction, NULL, 0, &status->table) == 0)
        return status;
    free(status);
    return NULL;
}

bool peer_status_put(struct peer_status *status, struct bytes uri, uint32_t index, uint8_t value)
{
    uint8_t room[STATUS_KEY_MAX];
    MDB_val key = {status_key(uri, index, room), room}, data = {1, &value};
    if (++status->count % PUTS_PER_COMMIT == 0 &&
        (mdb_txn_commit(status->transaction) != 0 ||
         mdb_txn_begin(status->environment, NULL, 0, &status->transaction) != 0))
        return false;
    return mdb_put(status->transaction, status->table, &key, &data, 0) == 0;
}

bool peer_status_close(struct peer_status *status)
{
    bool good = mdb_txn_commit(status->transaction) == 0;
    mdb_env_close(status->environment);
    free(status);
    return good;
}

struct peer *peer_open(const struct peer_options *options)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer || sodium_init() < 0)
        return NULL;
    peer->options = *options;
    peer->environment = open_environment(options->status, MDB_RDONLY);
    if (peer->environment && mdb_txn_begin(peer->environment, NULL, MDB_RDONLY, &peer->transaction) == 0 &&
        mdb_dbi_open(peer->transaction, NULL, 0, &peer->table) == 0) {
        mdb_txn_reset(peer->transaction);
        return peer;
    }
    free(peer);
    return NULL;
}

void peer_close(struct peer *peer)
{
    mdb_txn_abort(peer->transaction);
    mdb_env_close(peer->environment);
    free(peer);
}

void peer_begin(struct peer *peer)
{
    peer->now_s = (uint64_t)time(NULL);
    mdb_txn_renew(peer->transaction);
}

void peer_end(struct peer *peer)
{
    mdb_txn_reset(peer->transaction);
}

struct outcome {
    enum verdict verdict;
    enum colour colour;
    enum reason reason;
    int obligation; /* -1: none */
};

static struct outcome deny(enum reason reason)
{
    return (struct outcome){VERDICT_DENY, COLOUR_UNKNOWN, reason, -1};
}

static const struct issuer_key *find_key(const struct peer *peer, const uint8_t kid[COSE_KID_SIZE])
{
    for (uint32_t i = 0; i < peer->options.key_count; i++)
        if (memcmp(peer->options.keys[i].kid, kid, COSE_KID_SIZE) == 0)
            return &peer->options.keys[i];
    return NULL;
}

static enum status_value find_status(const struct peer *peer, const struct credential *credential)
{
    uint8_t room[STATUS_KEY_MAX];
    MDB_val key = {status_key(credential->status_uri, (uint32_t)credential->status_index, room), room}, data;
    if (mdb_get(peer->transaction, peer->table, &key, &data) != 0)
        return STATUS_VALID;
    return (enum status_value)(*(const uint8_t *)data.mv_data & 3);
}

static bool signature_good(const struct credential *credential, const struct issuer_key *key)
{
    uint8_t room[COSE_SIGNED_MAX];
    size_t length = cose_signed_bytes(&credential->cose, room, sizeof room);
    return length && crypto_sign_verify_detached(credential->cose.signature, room, length, key->public_key) == 0;
}

static struct outcome decide(const struct peer *peer, struct bytes cose)
{
    struct credential credential;
    switch (credential_parse(cose, &credential)) {
    case CREDENTIAL_OK:
        break;
    case CREDENTIAL_ERROR_ALGORITHM:
        return deny(REASON_CREDENTIAL_ALGORITHM);
    case CREDENTIAL_ERROR_TYP:
        return deny(REASON_CREDENTIAL_TYPE);
    case CREDENTIAL_ERROR_CLAIMS:
        return deny(REASON_CREDENTIAL_CLAIMS);
    default:
        return deny(REASON_CREDENTIAL_FORM);
    }
    const struct issuer_key *key = find_key(peer, credential.cose.kid);
    if (!key)
        return deny(REASON_KEY_UNKNOWN);
    if (!bytes_equal(credential.issuer, bytes_of_text(key->issuer)))
        return deny(REASON_SCOPE_ISSUER);
    if (!signature_good(&credential, key))
        return deny(REASON_SIGNATURE);
    if (credential.exp_s - credential.iat_s > credential_life_max_s(credential.class))
        return deny(REASON_LIFETIME);
    if (credential.exp_s <= peer->now_s)
        return deny(REASON_EXPIRED);
    if (credential.iat_s > peer->now_s + 5)
        return deny(REASON_FUTURE);
    switch (find_status(peer, &credential)) {
    case STATUS_INVALID:
        return deny(REASON_REVOKED);
    case STATUS_SUSPENDED:
        return (struct outcome){VERDICT_NEED_EVIDENCE, COLOUR_YELLOW, REASON_YELLOW, -1};
    case STATUS_APPLICATION:
        return (struct outcome){VERDICT_DENY, COLOUR_RED, REASON_RED, OBLIGATION_ISOLATE};
    case STATUS_VALID:
        break;
    }
    if (credential.class == CLASS_PRINTED)
        return (struct outcome){VERDICT_ALLOW_WITH_OBLIGATIONS, COLOUR_GREEN, REASON_PRINTED, OBLIGATION_CHECK_ID};
    return (struct outcome){VERDICT_ALLOW, COLOUR_GREEN, REASON_GREEN, -1};
}

/* The request map: the id and the credential; the rest is passed over. */
static bool read_request(struct bytes payload, uint32_t *id, struct bytes *credential)
{
    struct cbor_reader in = cbor_read(payload);
    for (uint32_t count = cbor_take_map(&in, 8); count > 0 && !in.failed; count--) {
        uint64_t label = cbor_take_uint(&in);
        if (label == 1)
            *id = (uint32_t)cbor_take_uint(&in);
        else if (label == 2)
            *credential = cbor_take_bytes(&in);
        else
            cbor_take_item(&in);
    }
    return cbor_done(&in) && credential->data;
}

static size_t write_answer(const struct coap_message *request, uint32_t id, const struct outcome *outcome,
                           uint8_t *room)
{
    uint8_t payload[64];
    struct cbor_writer map = cbor_write(payload, sizeof payload);
    cbor_put_map(&map, outcome->obligation < 0 ? 6 : 7);
    cbor_put_uint(&map, 1);
    cbor_put_uint(&map, id);
    cbor_put_uint(&map, 2);
    cbor_put_uint(&map, outcome->verdict);
    cbor_put_uint(&map, 3);
    cbor_put_uint(&map, outcome->colour);
    cbor_put_uint(&map, 4);
    cbor_put_uint(&map, outcome->reason);
    if (outcome->obligation >= 0) {
        cbor_put_uint(&map, 5);
        cbor_put_array(&map, 1);
        cbor_put_uint(&map, (uint64_t)outcome->obligation);
    }
    cbor_put_uint(&map, 6);
    cbor_put_uint(&map, 1);
    cbor_put_uint(&map, 7);
    cbor_put_uint(&map, 0);
    struct coap_writer out =
        coap_write(room, PEER_ANSWER_MAX, request->type == COAP_CON ? COAP_ACK : COAP_NON, COAP_CONTENT, request->id,
                   (struct bytes){request->token, request->token_length});
    coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    coap_put_payload(&out, cbor_written(&map));
    return coap_written(&out);
}

size_t peer_answer(struct peer *peer, struct bytes message, uint8_t *room)
{
    struct coap_message request;
    struct bytes credential = {0};
    uint32_t id = 0;
    if (coap_parse(message, &request) != COAP_OK || request.type > COAP_NON || request.code == COAP_EMPTY)
        return 0;
    const struct coap_option *path = coap_find(&request, COAP_OPTION_URI_PATH);
    if (request.code == COAP_POST && path && bytes_equal(path->value, bytes_of_text("v")) &&
        read_request(request.payload, &id, &credential)) {
        struct outcome outcome = decide(peer, credential);
        return write_answer(&request, id, &outcome, room);
    }
    struct coap_writer out =
        coap_write(room, PEER_ANSWER_MAX, request.type == COAP_CON ? COAP_ACK : COAP_NON, COAP_BAD_REQUEST, request.id,
                   (struct bytes){request.token, request.token_length});
    return coap_written(&out);
}
