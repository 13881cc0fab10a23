/*
 * delay_proxy: a TCP proxy that makes a server on this machine look far away.
 *
 *	delay_proxy PORT SOCKET ROUND_TRIP_MS
 *
 * Listens on 127.0.0.1:PORT and forwards each connection to the UNIX socket SOCKET. Every byte, and the end
 * of a stream, is held for half the round trip in each direction; bandwidth is not limited. Prints "ready"
 * once it listens. It ends with SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct proxy {
	struct event_base *base;
	struct sockaddr_un server;
	int64_t delay_us;
};

/* Bytes that arrived together. */
struct parcel {
	STAILQ_ENTRY(parcel) next;
	int64_t due_us;
	size_t bytes; /* 0: the stream has ended */
};

/* One direction of a connection. */
struct lane {
	struct link *link;
	struct event *readable, *writable, *due;
	struct evbuffer *held; /* on the way: what the parcels describe */
	struct evbuffer *there;
	STAILQ_HEAD(, parcel) parcels;
	int from, to;
	bool over;
};

struct link {
	struct proxy *proxy;
	struct lane there, back;
	int near, far;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "delay_proxy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *must(void *made)
{
	if (made == NULL)
		die("out of memory");
	return made;
}

static void lane_clear(struct lane *lane)
{
	struct parcel *parcel;

	while ((parcel = STAILQ_FIRST(&lane->parcels)) != NULL) {
		STAILQ_REMOVE_HEAD(&lane->parcels, next);
		free(parcel);
	}
	event_free(lane->readable);
	event_free(lane->writable);
	event_free(lane->due);
	evbuffer_free(lane->held);
	evbuffer_free(lane->there);
}

static void link_free(struct link *link)
{
	lane_clear(&link->there);
	lane_clear(&link->back);
	close(link->near);
	close(link->far);
	free(link);
}

/* The next parcel's time. */
static void lane_wait(struct lane *lane)
{
	const struct parcel *first = STAILQ_FIRST(&lane->parcels);
	int64_t wait_us;
	struct timeval wait;

	if (first == NULL)
		return;
	wait_us = first->due_us - now_us();
	if (wait_us < 0)
		wait_us = 0;
	wait = (struct timeval){.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};
	event_add(lane->due, &wait);
}

/* Whoever calls this does not touch the lane afterwards: the link may be gone. */
static void lane_write(evutil_socket_t descriptor, short what, void *owner)
{
	struct lane *lane = owner;

	(void)what;
	if (evbuffer_get_length(lane->there) > 0 && evbuffer_write(lane->there, descriptor) < 0 &&
		errno != EAGAIN) {
		link_free(lane->link);
	} else if (evbuffer_get_length(lane->there) > 0) {
		event_add(lane->writable, NULL);
	} else if (lane->over) {
		shutdown(descriptor, SHUT_WR);
		if (lane->link->there.over && lane->link->back.over)
			link_free(lane->link);
	}
}

static void lane_deliver(evutil_socket_t descriptor, short what, void *owner)
{
	struct lane *lane = owner;
	struct parcel *parcel;
	int64_t now = now_us();

	(void)descriptor;
	(void)what;
	while ((parcel = STAILQ_FIRST(&lane->parcels)) != NULL && parcel->due_us <= now) {
		STAILQ_REMOVE_HEAD(&lane->parcels, next);
		lane->over = parcel->bytes == 0;
		evbuffer_remove_buffer(lane->held, lane->there, parcel->bytes);
		free(parcel);
	}
	lane_wait(lane);
	lane_write(lane->to, 0, lane);
}

static void lane_read(evutil_socket_t descriptor, short what, void *owner)
{
	struct lane *lane = owner;
	struct parcel *parcel;
	int bytes = evbuffer_read(lane->held, descriptor, -1);

	(void)what;
	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (bytes <= 0) {
		event_del(lane->readable);
		bytes = 0;
	}
	parcel = must(malloc(sizeof *parcel));
	*parcel = (struct parcel){.due_us = now_us() + lane->link->proxy->delay_us, .bytes = (size_t)bytes};
	STAILQ_INSERT_TAIL(&lane->parcels, parcel, next);
	if (STAILQ_FIRST(&lane->parcels) == parcel)
		lane_wait(lane);
}

static void lane_open(struct lane *lane, struct link *link, int from, int to)
{
	*lane = (struct lane){.link = link, .from = from, .to = to};
	STAILQ_INIT(&lane->parcels);
	lane->held = must(evbuffer_new());
	lane->there = must(evbuffer_new());
	lane->readable = must(event_new(link->proxy->base, from, EV_READ | EV_PERSIST, lane_read, lane));
	lane->writable = must(event_new(link->proxy->base, to, EV_WRITE, lane_write, lane));
	lane->due = must(evtimer_new(link->proxy->base, lane_deliver, lane));
	event_add(lane->readable, NULL);
}

static void accept_one(evutil_socket_t listener, short what, void *owner)
{
	int near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), far, on = 1;
	struct proxy *proxy = owner;
	struct link *link;

	(void)what;
	if (near < 0)
		return;
	far = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (far < 0 || connect(far, (struct sockaddr *)&proxy->server, sizeof proxy->server) != 0 ||
		evutil_make_socket_nonblocking(far) != 0) {
		fprintf(stderr, "delay_proxy: %s: %s\n", proxy->server.sun_path, strerror(errno));
		close(near);
		if (far >= 0)
			close(far);
		return;
	}
	setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	link = must(malloc(sizeof *link));
	link->proxy = proxy;
	link->near = near;
	link->far = far;
	lane_open(&link->there, link, near, far);
	lane_open(&link->back, link, far, near);
}

static int listen_on(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0)
		die(port);
	return listener;
}

int main(int count, char **arguments)
{
	struct event_config *config = must(event_config_new());
	struct proxy proxy = {.server = {.sun_family = AF_UNIX}};

	if (count != 4 || strlen(arguments[2]) >= sizeof proxy.server.sun_path) {
		fprintf(stderr, "Usage: delay_proxy PORT SOCKET ROUND_TRIP_MS\n");
		return 2;
	}
	strcpy(proxy.server.sun_path, arguments[2]);
	proxy.delay_us = (int64_t)(atof(arguments[3]) * 1000 / 2);
	signal(SIGPIPE, SIG_IGN);
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	proxy.base = must(event_base_new_with_config(config));
	event_add(
		must(event_new(proxy.base, listen_on(arguments[1]), EV_READ | EV_PERSIST, accept_one, &proxy)), NULL);
	puts("ready");
	fflush(stdout);
	return event_base_dispatch(proxy.base) == 0 ? 0 : 1;
}
