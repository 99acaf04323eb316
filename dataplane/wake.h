/* How control tells that the log has grown: a byte to the datagram socket `wake` in the store's directory. Only a hint:
 * the store thread looks by itself every WAKE_TIMEOUT_MS. */
#pragma once

#define WAKE_SOCKET_NAME "wake"
#define WAKE_TIMEOUT_MS 2

/* The socket, or -1 where it cannot be made yet: then wake_wait only waits. */
int wake_open(const char *directory);
void wake_close(const char *directory, int socket);
/* Until a hint came or the time is over; takes all hints that are there. */
void wake_wait(int socket);
