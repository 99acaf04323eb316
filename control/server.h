/* The control socket: a Unix stream socket, mode 0600, on which root and the daemon's own user talk in lines. One
 * thread serves all; a turn reads what has arrived, hands it over line by line, and sends answers only after
 * server_send, so that its caller can make the turn's changes durable in between. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define SERVER_CLIENTS_MAX 64
#define SERVER_LINE_MAX (16u << 20)
/* A client that does not read its answers is not read from beyond this much waiting for it. */
#define SERVER_WAITING_MAX (16u << 20)
#define SERVER_FDS_MAX (SERVER_CLIENTS_MAX + 1)

/* Answers one line, without its line end and with a zero byte behind; the answer is taken over and freed, NULL is none.
 */
typedef char *server_handler(void *context, char *line, size_t length);

struct server;

/* Removes a socket file that nobody listens on; refuses where somebody does. */
struct server *server_open(const char *path, char *error, size_t error_size);
void server_close(struct server *server);

/* Fills `fds` (room for SERVER_FDS_MAX) for poll; returns their number. */
unsigned server_fds(struct server *server, struct pollfd fds[]);
/* Takes what poll found: new clients, bytes, lines. */
void server_receive(struct server *server, const struct pollfd fds[], unsigned count, server_handler *handler,
                    void *context);
/* Sends the answers that wait, as far as sockets take them; drops clients that are done. */
void server_send(struct server *server);
