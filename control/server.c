#include "control/server.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_ROOM_FIRST 4096

struct buffer {
    char *data;
    size_t length, room;
};

struct client {
    int socket;  /* -1: free */
    bool ending; /* no more is read; closed when `out` is empty */
    struct buffer in, out;
};

struct server {
    int socket;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    struct client clients[SERVER_CLIENTS_MAX];
    struct client *polled[SERVER_CLIENTS_MAX]; /* what each pollfd after the first stands for */
};

static bool path_in_use(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool used = probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof *address) == 0;
    if (probe >= 0)
        close(probe);
    return used;
}

static int listen_on(const char *path, char *error, size_t error_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >= (int)sizeof address.sun_path) {
        snprintf(error, error_size, "%s: name too long for a socket", path);
        return -1;
    }
    if (path_in_use(&address)) {
        snprintf(error, error_size, "%s: another chengmen-control listens here", path);
        return -1;
    }
    unlink(path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The mode must be right from the first moment: chmod after bind would leave a gap. */
    mode_t mask = umask(0177);
    bool ok = listener >= 0 && bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
              listen(listener, SERVER_CLIENTS_MAX) == 0;
    umask(mask);
    if (ok)
        return listener;
    snprintf(error, error_size, "%s: %s", path, strerror(errno));
    if (listener >= 0)
        close(listener);
    return -1;
}

struct server *server_open(const char *path, char *error, size_t error_size)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++)
        server->clients[i].socket = -1;
    server->socket = listen_on(path, error, error_size);
    if (server->socket < 0) {
        free(server);
        return NULL;
    }
    snprintf(server->path, sizeof server->path, "%s", path);
    return server;
}

static void drop(struct client *client)
{
    close(client->socket);
    free(client->in.data);
    free(client->out.data);
    memset(client, 0, sizeof *client);
    client->socket = -1;
}

void server_close(struct server *server)
{
    for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++)
        if (server->clients[i].socket >= 0)
            drop(&server->clients[i]);
    close(server->socket);
    unlink(server->path);
    free(server);
}

unsigned server_fds(struct server *server, struct pollfd fds[])
{
    unsigned count = 0;
    fds[0] = (struct pollfd){.fd = server->socket, .events = POLLIN};
    for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];
        if (client->socket < 0)
            continue;
        bool reads = !client->ending && client->out.length < SERVER_WAITING_MAX;
        int events = (reads ? POLLIN : 0) | (client->out.length > 0 ? POLLOUT : 0);
        server->polled[count++] = client;
        fds[count] = (struct pollfd){.fd = client->socket, .events = (short)events};
    }
    return count + 1;
}

static bool peer_allowed(int peer)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    return getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
           (credentials.uid == 0 || credentials.uid == geteuid());
}

static void accept_client(struct server *server)
{
    int peer = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0)
        return;
    for (unsigned i = 0; i < SERVER_CLIENTS_MAX && peer_allowed(peer); i++)
        if (server->clients[i].socket < 0) {
            server->clients[i].socket = peer;
            return;
        }
    close(peer);
}

/* Room for `more` bytes and a zero byte; a buffer never holds more than `most`. */
static bool reserve(struct buffer *buffer, size_t more, size_t most)
{
    size_t need = buffer->length + more + 1;
    if (need > most + 1)
        return false;
    if (need <= buffer->room)
        return true;
    size_t room = buffer->room ? buffer->room : READ_ROOM_FIRST;
    while (room < need)
        room *= 2;
    char *data = realloc(buffer->data, room);
    if (!data)
        return false;
    buffer->data = data;
    buffer->room = room;
    return true;
}

static void answer(struct client *client, char *text)
{
    size_t length = strlen(text);
    if (reserve(&client->out, length + 1, SIZE_MAX / 2)) {
        memcpy(client->out.data + client->out.length, text, length);
        client->out.data[client->out.length + length] = '\n';
        client->out.length += length + 1;
    } else {
        client->ending = true;
    }
    free(text);
}

static void take_lines(struct client *client, server_handler *handler, void *context)
{
    char *start = client->in.data, *end = start + client->in.length, *line_end;
    while (start < end && (line_end = memchr(start, '\n', (size_t)(end - start)))) {
        *line_end = '\0';
        char *text = line_end > start ? handler(context, start, (size_t)(line_end - start)) : NULL;
        if (text)
            answer(client, text);
        start = line_end + 1;
    }
    client->in.length = (size_t)(end - start);
    memmove(client->in.data, start, client->in.length);
}

/* One read a turn and client, so that a busy client does not hold up the others. */
static void receive(struct client *client, server_handler *handler, void *context)
{
    size_t room = client->in.room > client->in.length + 1 ? client->in.room - client->in.length - 1 : READ_ROOM_FIRST;
    if (!reserve(&client->in, room, SERVER_LINE_MAX * 2)) {
        client->ending = true;
        return;
    }
    ssize_t got = recv(client->socket, client->in.data + client->in.length, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        client->ending = true;
        return;
    }
    client->in.length += (size_t)got;
    take_lines(client, handler, context);
    /* What is left is one unfinished line. */
    if (client->in.length > SERVER_LINE_MAX)
        client->ending = true;
    else if (client->in.length == client->in.room - 1)
        client->ending = !reserve(&client->in, client->in.room, SERVER_LINE_MAX * 2);
}

void server_receive(struct server *server, const struct pollfd fds[], unsigned count, server_handler *handler,
                    void *context)
{
    for (unsigned i = 1; i < count; i++) {
        struct client *client = server->polled[i - 1];
        if (fds[i].revents & POLLIN)
            receive(client, handler, context);
        else if (fds[i].revents & (POLLERR | POLLHUP | POLLNVAL))
            client->ending = true;
    }
    if (fds[0].revents & POLLIN)
        accept_client(server);
}

static void send_waiting(struct client *client)
{
    while (client->out.length > 0) {
        ssize_t put = send(client->socket, client->out.data, client->out.length, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return;
        if (put < 0) {
            client->out.length = 0;
            client->ending = true;
            return;
        }
        client->out.length -= (size_t)put;
        memmove(client->out.data, client->out.data + put, client->out.length);
    }
}

void server_send(struct server *server)
{
    for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++) {
        struct client *client = &server->clients[i];
        if (client->socket < 0)
            continue;
        send_waiting(client);
        if (client->ending && client->out.length == 0)
            drop(client);
    }
}
