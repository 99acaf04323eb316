/* `chengmen key`: issuer keys. `generate` needs no daemon. */
#include "control/keys_json.h"

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/document.h"
#include "control/encoding.h"
#include "control/times.h"

static int generate(int argc, char **argv)
{
    const char *kid = NULL, *issuer = "CN-310000", *use = key_use_names[0], *output = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {"kid", CLI_TEXT, "HEX", "8 bytes; default from the key's thumbprint (RFC 7638)", &kid, NULL},
        {"issuer", CLI_TEXT, "NAME", "the issuer it signs for; default CN-310000", &issuer, NULL},
        {"use", CLI_TEXT, "USE", "credential (default), status or rules", &use, NULL},
        {"out", CLI_TEXT, "FILE",
         "where the private JWK goes: a new file, mode 0600; without it, no private key is kept", &output, NULL},
        {"json", CLI_FLAG, NULL, "the output is JSON either way", &json, NULL},
    };
    const struct cli_usage usage = {"chengmen key generate [options]",
                                    "Makes an Ed25519 key for the reference issuer and prints its public JWK.",
                                    options,
                                    sizeof options / sizeof options[0],
                                    0,
                                    0};
    cli_parse(&usage, argc, argv, NULL);
    unsigned chosen = 0;
    while (key_use_names[chosen] && strcmp(key_use_names[chosen], use) != 0)
        chosen++;
    if (!key_use_names[chosen])
        cli_usage_error("--use: credential, status or rules, not \"%s\"", use);
    if (strlen(issuer) == 0 || strlen(issuer) > CREDENTIAL_ISSUER_MAX)
        cli_usage_error("--issuer: 1 to %d bytes are wanted", CREDENTIAL_ISSUER_MAX);
    struct signing_key key;
    if (!signing_key_generate(&key))
        return cli_refuse("libsodium does not start");
    if (kid && !hex_decode(bytes_of_text(kid), key.kid, sizeof key.kid))
        cli_usage_error("--kid: %d hexadecimal digits are wanted", 2 * COSE_KID_SIZE);
    bool written = true;
    if (output) {
        cJSON *private_key = signing_key_json(&key, (enum key_use)chosen, issuer, true);
        char *text = cJSON_Print(private_key);
        written = cli_write_new_file(output, bytes_of_text(text), 0600);
        secret_wipe(text, strlen(text));
        cJSON_free(text);
        cJSON_Delete(private_key);
    }
    cJSON *public_key = signing_key_json(&key, (enum key_use)chosen, issuer, false);
    signing_key_wipe(&key);
    if (written)
        cli_print_json(public_key);
    cJSON_Delete(public_key);
    return written ? CLI_OK : CLI_REFUSED;
}

static void print_validity(const cJSON *key)
{
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    const cJSON *exp = cJSON_GetObjectItemCaseSensitive(key, "exp");
    time_to_text((uint64_t)cli_number(key, "nbf"), from);
    if (exp)
        time_to_text((uint64_t)exp->valuedouble, to);
    printf("  from %s to %s", cli_number(key, "nbf") > 0 ? from : "ever", exp ? to : "further notice");
}

static void print_key(const cJSON *key)
{
    printf("%s  %-10s %-12s", cli_text(key, "kid"), cli_text(key, "use"), cli_text(key, "iss"));
    const cJSON *regions = cJSON_GetObjectItemCaseSensitive(key, "regions"), *item;
    fputs(regions ? " regions" : " every region", stdout);
    cJSON_ArrayForEach(item, regions) printf(" %.0f", item->valuedouble);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(key, "classes");
    if (list)
        fputs("  classes", stdout);
    cJSON_ArrayForEach(item, list) printf(" %s", item->valuestring);
    print_validity(key);
    puts(cJSON_HasObjectItem(key, "retired") ? "  RETIRED" : "");
}

static int print_keys(cJSON *result, bool json, int code)
{
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(result, "keys"), *key;
    if (json && keys)
        cli_print_json(keys);
    else
        cJSON_ArrayForEach(key, keys) print_key(key);
    cJSON_Delete(result);
    return code;
}

static int import(int argc, char **argv)
{
    const char *path[1], *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {
        "chengmen key import [options] FILE",
        "Puts the keys of a JWK or a JWKS (RFC 7517; OKP, Ed25519) in force. Beside kty, crv, x, kid (16 hexadecimal\n"
        "digits) and iss, a key may have use (credential or sig, status, rules), nbf and exp (seconds since 1970),\n"
        "regions (an array of GB/T 2260 codes: [310000, 320500]) and classes (an array of dynamic, printed, "
        "delegated,\n"
        "enterprise, venue-pass). Other members are ignored, and so is a set's key of another type.",
        options,
        2,
        1,
        1};
    cli_parse(&usage, argc, argv, path);
    cJSON *document = document_load(path[0]);
    if (!document)
        return CLI_REFUSED;
    struct jwks keys;
    struct json_problems problems = {0};
    struct json_place root = json_root(document);
    if (jwks_read(&root, &keys, &problems))
        jwks_free(&keys);
    if (!document_report(path[0], &problems)) {
        cJSON_Delete(document);
        return CLI_REFUSED;
    }
    cJSON *params = cJSON_CreateObject();
    cJSON_AddItemToObject(params, "document", document);
    int code;
    cJSON *result = cli_call_once(socket, "key.import", params, path[0], &code);
    return print_keys(result, json, code);
}

static int list(int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {"chengmen key list [options]", "Lists the keys in force.", options, 2, 0, 0};
    cli_parse(&usage, argc, argv, NULL);
    int code;
    cJSON *result = cli_call_once(socket, "key.list", NULL, NULL, &code);
    return print_keys(result, json, code);
}

static int retire(int argc, char **argv)
{
    const char *kid[1], *socket = NULL;
    bool json = false;
    const struct cli_option options[] = {CLI_SOCKET_OPTION(&socket), CLI_JSON_OPTION(&json)};
    const struct cli_usage usage = {
        "chengmen key retire [options] KID", "Retires a key: what it signed is refused from now on.", options, 2, 1, 1};
    cli_parse(&usage, argc, argv, kid);
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "kid", kid[0]);
    int code;
    cJSON *result = cli_call_once(socket, "key.retire", params, NULL, &code);
    return print_keys(result, json, code);
}

int cli_key(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"generate", generate, "make a key for the reference issuer"},
        {"import", import, "put the keys of a JWK or JWKS file in force"},
        {"list", list, "list the keys in force"},
        {"retire", retire, "retire a key"},
    };
    return cli_dispatch("chengmen key", commands, sizeof commands / sizeof commands[0], argc, argv);
}
