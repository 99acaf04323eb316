#include "dataplane/config.h"

#include <stdio.h>

#include "keys/cbor.h"
#include "keys/ed25519/ed25519.h"

/* CBOR form: an array whose first item is this number and whose others are the members in the order written below.
 * Both sides come from one build, so another form is refused, not converted. */
#define CONFIG_FORM 2
#define CONFIG_LISTS 11
#define CONFIG_NUMBERS (sizeof numbers / sizeof numbers[0])
#define CONFIG_CORE_LIMIT 1024

enum number_form { ANY, POWER };

struct number_rule {
    const char *name;
    uint64_t least, most;
    enum number_form form;
};

static const struct number_rule numbers[] = {
#define NUMBER(member, value, least, most, form, meaning) {#member, least, most, form},
#include "dataplane/config.def"
#undef NUMBER
};

void config_defaults(struct config *out)
{
    static const char *const eal[] = {"--no-pci", "--no-huge", "-m", "512", "--no-shconf"};
    memset(out, 0, sizeof *out);
    memcpy(out->store, CONFIG_STORE_DEFAULT, sizeof CONFIG_STORE_DEFAULT);
    memcpy(out->seal_key, CONFIG_STORE_DEFAULT ".key", sizeof CONFIG_STORE_DEFAULT ".key");
    for (unsigned i = 0; i < sizeof eal / sizeof eal[0]; i++)
        memcpy(out->eal_args[i], eal[i], strlen(eal[i]) + 1);
    out->eal_arg_count = sizeof eal / sizeof eal[0];
    out->workers[0] = 1;
    out->worker_count = 1;
    out->idle = CONFIG_IDLE_SLEEP;
    out->engine = ED25519_AUTO;
#define NUMBER(member, value, least, most, form, meaning) out->member = value;
#include "dataplane/config.def"
#undef NUMBER
}

static bool number_allowed(const struct number_rule *rule, uint64_t value)
{
    if (value < rule->least || value > rule->most)
        return false;
    return rule->form == ANY || (value & (value - 1)) == 0;
}

static bool prefix_allowed(const struct config_prefix *prefix)
{
    if (prefix->family == 4) {
        static const uint8_t zero[12];
        return prefix->length <= 32 && memcmp(prefix->address + 4, zero, sizeof zero) == 0;
    }
    return prefix->family == 6 && prefix->length <= 128;
}

/* Bits behind the prefix must be zero, so that one network has one way of writing. */
static bool network_allowed(const struct config_prefix *prefix)
{
    unsigned bits = prefix->family == 4 ? 32 : 128;
    for (unsigned bit = prefix->length; bit < bits; bit++)
        if (prefix->address[bit / 8] >> (7 - bit % 8) & 1)
            return false;
    return true;
}

/* False with "member/index: what". */
static bool refuse_item(const char *member, unsigned index, const char *what, char *error, size_t error_size)
{
    snprintf(error, error_size, "%s/%u: %s", member, index, what);
    return false;
}

static bool addresses_check(const struct config *config, char *error, size_t error_size)
{
    for (unsigned i = 0; i < config->address_count; i++) {
        const struct config_address *address = &config->addresses[i];
        const char *what = !prefix_allowed(&address->prefix)     ? "not an address with its prefix length"
                           : address->vlan > 4094                ? "a VLAN is 0 (untagged) to 4094"
                           : address->port >= config->port_count ? "no port has this number"
                                                                 : NULL;
        if (what)
            return refuse_item("addresses", i, what, error, error_size);
    }
    for (unsigned i = 0; i < config->trusted_count; i++)
        if (!prefix_allowed(&config->trusted[i]) || !network_allowed(&config->trusted[i]))
            return refuse_item("trusted", i, "not a network (address bits behind the prefix must be zero)", error,
                               error_size);
    return true;
}

static bool workers_check(const struct config *config, char *error, size_t error_size)
{
    for (unsigned i = 0; i < config->worker_count; i++) {
        if (config->workers[i] >= CONFIG_CORE_LIMIT)
            return refuse_item("workers", i, "a core is 0 to 1023", error, error_size);
        for (unsigned k = 0; k < i; k++)
            if (config->workers[k] == config->workers[i])
                return refuse_item("workers", i, "the core is named twice", error, error_size);
    }
    return true;
}

static bool lists_check(const struct config *config, char *error, size_t error_size)
{
    const char *what = !config->store[0]                            ? "store: no directory is named"
                       : config->port_count == 0                    ? "ports: at least one is needed"
                       : config->address_count == 0                 ? "addresses: at least one is needed"
                       : config->worker_count == 0                  ? "workers: at least one core is needed"
                       : (unsigned)config->idle > CONFIG_IDLE_SLEEP ? "idle: unknown"
                       : config->engine > ED25519_SODIUM            ? "engine: unknown"
                                                                    : NULL;
    if (!what)
        return addresses_check(config, error, error_size) && workers_check(config, error, error_size);
    snprintf(error, error_size, "%s", what);
    return false;
}

bool config_check(const struct config *config, char *error, size_t error_size)
{
    if (!lists_check(config, error, error_size))
        return false;
    const uint64_t values[] = {
#define NUMBER(member, value, least, most, form, meaning) config->member,
#include "dataplane/config.def"
#undef NUMBER
    };
    for (unsigned i = 0; i < CONFIG_NUMBERS; i++)
        if (!number_allowed(&numbers[i], values[i])) {
            snprintf(error, error_size, "%s: allowed are %llu to %llu%s", numbers[i].name,
                     (unsigned long long)numbers[i].least, (unsigned long long)numbers[i].most,
                     numbers[i].form == POWER ? ", powers of two" : "");
            return false;
        }
    return true;
}

static void put_prefix(struct cbor_writer *out, const struct config_prefix *prefix)
{
    cbor_put_array(out, 3);
    cbor_put_uint(out, prefix->family);
    cbor_put_uint(out, prefix->length);
    cbor_put_bytes(out, (struct bytes){prefix->address, prefix->family == 4 ? 4 : 16});
}

size_t config_encode(const struct config *config, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_array(&out, CONFIG_LISTS + CONFIG_NUMBERS);
    cbor_put_uint(&out, CONFIG_FORM);
    cbor_put_text(&out, bytes_of_text(config->store));
    cbor_put_text(&out, bytes_of_text(config->seal_key));
    cbor_put_text(&out, bytes_of_text(config->user));
    cbor_put_array(&out, config->eal_arg_count);
    for (unsigned i = 0; i < config->eal_arg_count; i++)
        cbor_put_text(&out, bytes_of_text(config->eal_args[i]));
    cbor_put_array(&out, config->port_count);
    for (unsigned i = 0; i < config->port_count; i++)
        cbor_put_text(&out, bytes_of_text(config->ports[i]));
    cbor_put_array(&out, config->address_count);
    for (unsigned i = 0; i < config->address_count; i++) {
        cbor_put_array(&out, 3);
        put_prefix(&out, &config->addresses[i].prefix);
        cbor_put_uint(&out, config->addresses[i].vlan);
        cbor_put_uint(&out, config->addresses[i].port);
    }
    cbor_put_array(&out, config->trusted_count);
    for (unsigned i = 0; i < config->trusted_count; i++)
        put_prefix(&out, &config->trusted[i]);
    cbor_put_array(&out, config->worker_count);
    for (unsigned i = 0; i < config->worker_count; i++)
        cbor_put_uint(&out, config->workers[i]);
    cbor_put_uint(&out, config->idle);
    cbor_put_uint(&out, config->engine);
#define NUMBER(member, value, least, most, form, meaning) cbor_put_uint(&out, config->member);
#include "dataplane/config.def"
#undef NUMBER
    return cbor_written(&out).length;
}

/* Takes a text without NUL that fits `room` with its terminator; room stays zeroed behind it. */
static void take_text(struct cbor_reader *in, char *room, size_t size)
{
    struct bytes text = cbor_take_text(in);
    if (text.length >= size || (text.length > 0 && memchr(text.data, 0, text.length))) {
        in->failed = true;
        return;
    }
    if (text.length > 0)
        memcpy(room, text.data, text.length);
}

/* Counts above these limits fail here; narrowing would hide them from config_check. */
static uint64_t take_up_to(struct cbor_reader *in, uint64_t most)
{
    uint64_t value = cbor_take_uint(in);
    if (value > most)
        in->failed = true;
    return in->failed ? 0 : value;
}

static void take_prefix(struct cbor_reader *in, struct config_prefix *out)
{
    if (cbor_take_array(in, 3) != 3)
        in->failed = true;
    out->family = (uint8_t)take_up_to(in, 6);
    out->length = (uint8_t)take_up_to(in, 128);
    struct bytes address = cbor_take_bytes(in);
    if (address.length != (out->family == 4 ? 4u : 16u)) {
        in->failed = true;
        return;
    }
    memcpy(out->address, address.data, address.length);
}

static void take_lists(struct cbor_reader *in, struct config *out)
{
    take_text(in, out->store, sizeof out->store);
    take_text(in, out->seal_key, sizeof out->seal_key);
    take_text(in, out->user, sizeof out->user);
    out->eal_arg_count = cbor_take_array(in, CONFIG_EAL_ARGS_MAX);
    for (unsigned i = 0; i < out->eal_arg_count; i++)
        take_text(in, out->eal_args[i], sizeof out->eal_args[i]);
    out->port_count = cbor_take_array(in, CONFIG_PORTS_MAX);
    for (unsigned i = 0; i < out->port_count; i++)
        take_text(in, out->ports[i], sizeof out->ports[i]);
    out->address_count = cbor_take_array(in, CONFIG_ADDRESSES_MAX);
    for (unsigned i = 0; i < out->address_count; i++) {
        if (cbor_take_array(in, 3) != 3)
            in->failed = true;
        take_prefix(in, &out->addresses[i].prefix);
        out->addresses[i].vlan = (uint16_t)take_up_to(in, UINT16_MAX);
        out->addresses[i].port = (uint8_t)take_up_to(in, UINT8_MAX);
    }
    out->trusted_count = cbor_take_array(in, CONFIG_TRUSTED_MAX);
    for (unsigned i = 0; i < out->trusted_count; i++)
        take_prefix(in, &out->trusted[i]);
    out->worker_count = cbor_take_array(in, CONFIG_WORKERS_MAX);
    for (unsigned i = 0; i < out->worker_count; i++)
        out->workers[i] = (uint32_t)take_up_to(in, CONFIG_CORE_LIMIT);
    out->idle = (enum config_idle)take_up_to(in, CONFIG_IDLE_SLEEP);
    out->engine = (uint32_t)take_up_to(in, ED25519_SODIUM);
}

bool config_decode(struct bytes encoded, struct config *out, char *error, size_t error_size)
{
    struct cbor_reader in = cbor_read(encoded);
    memset(out, 0, sizeof *out);
    if (cbor_take_array(&in, CONFIG_LISTS + CONFIG_NUMBERS) != CONFIG_LISTS + CONFIG_NUMBERS ||
        cbor_take_uint(&in) != CONFIG_FORM) {
        snprintf(error, error_size, "not a configuration compiled by this version: run `chengmen config compile`");
        return false;
    }
    take_lists(&in, out);
#define NUMBER(member, value, least, most, form, meaning) out->member = (typeof(out->member))take_up_to(&in, most);
#include "dataplane/config.def"
#undef NUMBER
    if (!cbor_done(&in)) {
        snprintf(error, error_size, "compiled configuration is malformed: run `chengmen config compile` again");
        return false;
    }
    return config_check(out, error, error_size);
}
