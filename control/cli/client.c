#include "control/cli/client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RESPONSE_MAX (64u << 20)
#define TIMEOUT_S 60

/* Params that are a file's content: what is wrong inside them is told with the file's name. */
static const char *const contents[] = {"/document", "/text", "/token"};

struct cli_client {
    int socket;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char *in;
    size_t length, room;
};

struct cli_client *cli_connect(const char *path)
{
    if (!path)
        path = getenv("CHENGMEN_SOCKET");
    if (!path)
        path = CLI_SOCKET_DEFAULT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    struct cli_client *client = calloc(1, sizeof *client);
    if (!client || snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >= (int)sizeof address.sun_path) {
        cli_refuse("%s: name too long for a socket", path);
        free(client);
        return NULL;
    }
    memcpy(client->path, address.sun_path, sizeof client->path);
    client->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = client->socket >= 0 && connect(client->socket, (struct sockaddr *)&address, sizeof address) == 0 &&
              setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0;
    if (!ok) {
        cli_refuse("%s: chengmen-control does not answer: %s", path, strerror(errno));
        cli_disconnect(client);
        return NULL;
    }
    return client;
}

void cli_disconnect(struct cli_client *client)
{
    if (client->socket >= 0)
        close(client->socket);
    free(client->in);
    free(client);
}

static bool send_line(struct cli_client *client, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t put = send(client->socket, text, left, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        text += put;
        left -= (size_t)put;
    }
    return send(client->socket, "\n", 1, MSG_NOSIGNAL) == 1;
}

/* One call is under way at a time, so what arrives is one line. */
static char *receive_line(struct cli_client *client)
{
    client->length = 0;
    for (;;) {
        if (client->length + 1 >= client->room) {
            size_t room = client->room ? client->room * 2 : 65536;
            char *larger = room <= RESPONSE_MAX ? realloc(client->in, room) : NULL;
            if (!larger)
                return NULL;
            client->in = larger;
            client->room = room;
        }
        ssize_t got = recv(client->socket, client->in + client->length, client->room - client->length - 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return NULL;
        client->length += (size_t)got;
        if (client->in[client->length - 1] == '\n') {
            client->in[client->length - 1] = '\0';
            return client->in;
        }
    }
}

static void report(const cJSON *error, const char *file)
{
    const char *message = cli_text(error, "message");
    const char *pointer = cli_text(cJSON_GetObjectItemCaseSensitive(error, "data"), "pointer");
    for (size_t i = 0; file && i < sizeof contents / sizeof contents[0]; i++)
        if (strncmp(pointer, contents[i], strlen(contents[i])) == 0) {
            const char *inside = pointer + strlen(contents[i]);
            cli_refuse("%s: %s%s%s", file, inside, *inside ? ": " : "", message);
            return;
        }
    if (file && !*pointer)
        cli_refuse("%s: %s", file, message);
    else if (*pointer)
        cli_refuse("%s: %s", pointer, message);
    else
        cli_refuse("%s", message);
}

cJSON *cli_call(struct cli_client *client, const char *method, cJSON *params, const char *file, int *code)
{
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "jsonrpc", "2.0");
    cJSON_AddNumberToObject(request, "id", 1);
    cJSON_AddStringToObject(request, "method", method);
    cJSON_AddItemToObject(request, "params", params ? params : cJSON_CreateObject());
    char *text = cJSON_PrintUnformatted(request);
    cJSON_Delete(request);
    char *line = text && send_line(client, text) ? receive_line(client) : NULL;
    cJSON_free(text);
    cJSON *response = line ? cJSON_Parse(line) : NULL;
    cJSON *result = cJSON_DetachItemFromObjectCaseSensitive(response, "result");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(response, "error");
    *code = CLI_OK;
    if (!result && error) {
        report(error, file);
        *code = CLI_REFUSED;
    } else if (!result) {
        cli_refuse("%s: no answer from chengmen-control", client->path);
        *code = CLI_UNREACHABLE;
    }
    cJSON_Delete(response);
    return result;
}

cJSON *cli_call_once(const char *path, const char *method, cJSON *params, const char *file, int *code)
{
    struct cli_client *client = cli_connect(path);
    if (!client) {
        cJSON_Delete(params);
        *code = CLI_UNREACHABLE;
        return NULL;
    }
    cJSON *result = cli_call(client, method, params, file, code);
    cli_disconnect(client);
    return result;
}

void cli_print_json(const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    puts(text ? text : "null");
    cJSON_free(text);
}

const char *cli_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

double cli_number(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(value) ? value->valuedouble : 0;
}
