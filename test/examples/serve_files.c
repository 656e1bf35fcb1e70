// SPDX-License-Identifier: MIT
/*
 * serve_files.c - an event loop that serves files over TCP: epoll, an eventfd, asynchronous I/O
 *
 * A client sends the name of a file and a newline, and gets the contents.  One thread serves all
 * clients, and waits for nothing but epoll.  A request that ends adds one to the eventfd.  When
 * that is readable, the loop collects until nothing is left.
 *
 *	cc -o serve_files serve_files.c $(pkg-config --cflags --libs rtaio)
 *	./serve_files DIRECTORY              prints the port
 */
#include <rtaio.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_SIZE 65536

struct client {
	struct aiocb cb;
	int socket, file;
	off_t offset; /* in the file */
	size_t nr;    /* bytes in the buffer */
	char buffer[BUFFER_SIZE];
};

static int directory, epoll, listener, ended; /* ended: the eventfd */

static void drop(struct client *client)
{
	if (client->file != -1)
		close(client->file);
	close(client->socket);
	free(client);
}

static void submit(struct client *client, int (*function)(struct aiocb *), int fd, char *buf,
		   size_t size, off_t offset)
{
	struct aiocb *cb = &client->cb;

	memset(cb, 0, sizeof(*cb));
	cb->aio_fildes = fd;
	cb->aio_buf = buf;
	cb->aio_nbytes = size;
	cb->aio_offset = offset;
	cb->aio_sigevent.sigev_notify = SIGEV_EVENTFD;
	cb->aio_sigevent.sigev_notify_eventfd = ended;
	cb->aio_sigevent.sigev_value.sival_ptr = client;
	if (function(cb) == -1) {
		warn("cannot submit");
		drop(client);
	}
}

static void read_file(struct client *client)
{
	submit(client, aio_read, client->file, client->buffer, BUFFER_SIZE, client->offset);
}

/* A request of the client has ended: the file is read and sent by turns. */
static void go_on(struct client *client, ssize_t nr)
{
	char *rest = (char *)client->cb.aio_buf + nr;

	if (nr <= 0) { /* an error, or the end of the file */
		drop(client);
	} else if (client->cb.aio_fildes == client->file) {
		client->offset += nr;
		client->nr = (size_t)nr;
		submit(client, aio_write, client->socket, client->buffer, client->nr, 0);
	} else if (rest < client->buffer + client->nr) { /* not all was sent */
		submit(client, aio_write, client->socket, rest,
		       (size_t)(client->buffer + client->nr - rest), 0);
	} else {
		read_file(client);
	}
}

static void collect(void)
{
	static const struct timespec zero;
	struct aiocb *cb;
	uint64_t count;
	ssize_t nr;

	/* First the counter: what ends from here on makes it readable again. */
	if (read(ended, &count, sizeof(count)) == -1 && errno != EAGAIN)
		err(EXIT_FAILURE, "eventfd");
	for (;;) {
		nr = aio_waitcomplete(&cb, &zero);
		if (!cb)
			break;
		go_on(cb->aio_sigevent.sigev_value.sival_ptr, nr);
	}
	if (errno != EAGAIN)
		err(EXIT_FAILURE, "aio_waitcomplete");
}

static void watch(int fd, void *data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = data };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(EXIT_FAILURE, "epoll_ctl");
}

static void accept_client(void)
{
	struct client *client = malloc(sizeof(*client));
	int socket = accept(listener, NULL, NULL);

	if (!client || socket == -1) {
		warn("cannot accept");
		if (socket != -1)
			close(socket);
		free(client);
		return;
	}
	client->socket = socket;
	client->file = -1;
	client->offset = 0;
	client->nr = 0;
	watch(socket, client);
}

/* A part of the name has come. */
static void read_name(struct client *client)
{
	ssize_t nr = recv(client->socket, client->buffer + client->nr, BUFFER_SIZE - client->nr, 0);
	char *newline;

	if (nr <= 0) {
		drop(client);
		return;
	}
	client->nr += (size_t)nr;
	newline = memchr(client->buffer, '\n', client->nr);
	if (!newline && client->nr < BUFFER_SIZE)
		return;
	epoll_ctl(epoll, EPOLL_CTL_DEL, client->socket, NULL);
	if (newline) {
		*newline = '\0';
		if (!strchr(client->buffer, '/'))
			client->file = openat(directory, client->buffer,
					      O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (client->file == -1)
		drop(client);
	else
		read_file(client);
}

static void start(const char *path)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);

	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory == -1)
		err(EXIT_FAILURE, "%s", path);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener == -1 || bind(listener, (struct sockaddr *)&address, size) == -1 ||
	    listen(listener, 16) == -1 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) == -1)
		err(EXIT_FAILURE, "cannot listen");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	ended = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (epoll == -1 || ended == -1)
		err(EXIT_FAILURE, "cannot wait");
	watch(listener, &listener);
	watch(ended, &ended);
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct epoll_event event;

	if (argc != 2)
		errx(EXIT_FAILURE, "usage: serve_files DIRECTORY");
	start(argv[1]);
	for (;;) {
		if (epoll_wait(epoll, &event, 1, -1) == -1) {
			if (errno != EINTR)
				err(EXIT_FAILURE, "epoll_wait");
		} else if (event.data.ptr == &listener) {
			accept_client();
		} else if (event.data.ptr == &ended) {
			collect();
		} else {
			read_name(event.data.ptr);
		}
	}
}
