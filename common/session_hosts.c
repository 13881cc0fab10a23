#include "common/session_hosts.h"

#include "common/memory.h"
#include "common/text.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- lists ---- */

static size_t list_length(const char *list)
{
	size_t length = 1;

	if (!list || !*list)
		return 0;
	for (; *list; list++)
		if (*list == ',')
			length++;
	return length;
}

/* Element number `at` of "a,b,c"; "" behind the end. */
static char *list_element(const char *list, size_t at)
{
	struct text element = {0};

	if (at >= list_length(list))
		return memory_text("");
	for (; at > 0; at--)
		list = strchr(list, ',') + 1;
	text_add_bytes(&element, list, strcspn(list, ","));
	return text_take(&element);
}

static void add_host(struct hosts *hosts, struct host host)
{
	hosts->list = memory_resize(hosts->list, (hosts->count + 1) * sizeof(hosts->list[0]));
	hosts->list[hosts->count++] = host;
}

/* By the rules of libpq's connectOptions2(): hostaddr counts, else host; one port serves all. */
struct hosts hosts_read(const char *names, const char *addresses, const char *ports)
{
	struct hosts hosts = {0};
	size_t name_count = list_length(names);
	size_t address_count = list_length(addresses);
	size_t port_count = list_length(ports);
	size_t count = address_count ? address_count : name_count;

	if ((name_count > 0 && name_count != count) || (port_count > 1 && port_count != count))
		return hosts;
	for (size_t i = 0; i < count; i++)
		add_host(&hosts, (struct host){.name = list_element(names, i),
							 .address = list_element(addresses, i),
							 .port = list_element(ports, port_count == 1 ? 0 : i)});
	return hosts;
}

static void add_element(struct text *list, size_t at, const char *element)
{
	if (at > 0)
		text_add(list, ",");
	text_add(list, element);
}

/* A list of commas alone says as little as none. */
static char *take_list(struct text *list)
{
	if (text_is(list)[strspn(text_is(list), ",")])
		return text_take(list);
	text_free(list);
	return NULL;
}

void hosts_write(const struct hosts *hosts, char **ret_names, char **ret_addresses, char **ret_ports)
{
	struct text names = {0};
	struct text addresses = {0};
	struct text ports = {0};

	for (size_t i = 0; i < hosts->count; i++) {
		add_element(&names, i, hosts->list[i].name);
		add_element(&addresses, i, hosts->list[i].address);
		add_element(&ports, i, hosts->list[i].port);
	}
	*ret_names = take_list(&names);
	*ret_addresses = take_list(&addresses);
	/* Without hosts libpq keeps to the list that it has, and its ports belong to that. */
	if (!*ret_names && !*ret_addresses)
		text_clear(&ports);
	*ret_ports = take_list(&ports);
}

void hosts_free(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++) {
		free(hosts->list[i].name);
		free(hosts->list[i].address);
		free(hosts->list[i].port);
	}
	free(hosts->list);
	*hosts = (struct hosts){0};
}

/* ---- names ---- */

/* In any spelling that getaddrinfo() takes for one, as libpq will: 127.1, ::1, fe80::1%eth0. */
static bool is_numeric(const char *name)
{
	struct addrinfo wanted = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;

	if (getaddrinfo(name, NULL, &wanted, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

/* "/run/postgresql" and "@abstract" are sockets, "" is the default one. */
static bool needs_address(const struct host *host)
{
	return !*host->address && *host->name && !strchr("/@", host->name[0]) && !is_numeric(host->name);
}

size_t hosts_names(const struct hosts *hosts, const char ***ret_names)
{
	const char **names = NULL;
	size_t count = 0;

	for (size_t i = 0; i < hosts->count; i++) {
		const struct host *host = &hosts->list[i];
		bool seen = false;

		for (size_t n = 0; n < count; n++)
			seen = seen || strcmp(names[n], host->name) == 0;
		if (seen || !needs_address(host))
			continue;
		names = memory_resize(names, (count + 1) * sizeof(names[0]));
		names[count++] = host->name;
	}
	*ret_names = names;
	return count;
}

/* ---- expansion ---- */

static void add_copy(struct hosts *hosts, const struct host *host, const char *address)
{
	add_host(hosts, (struct host){.name = memory_text(host->name),
						.address = memory_text(address),
						.port = memory_text(host->port)});
}

/* NULL for a host that is not to be looked up. */
static const struct resolved *find_answer(
	const struct host *host, const struct resolved *answers, size_t answer_count)
{
	if (*host->address)
		return NULL;
	for (size_t i = 0; i < answer_count; i++)
		if (strcmp(answers[i].name, host->name) == 0)
			return &answers[i];
	return NULL;
}

static void refuse_names(const struct resolved *answers, size_t answer_count, struct fault *why)
{
	struct text reasons = {0};

	for (size_t i = 0; i < answer_count; i++)
		text_addf(&reasons, "%scould not resolve host name \"%s\": %s", i > 0 ? "; " : "", answers[i].name,
			answers[i].reason);
	fault_set(why, FAULT_LINK, "%s", text_is(&reasons));
	fault_set_hint(why, "check the host in the conninfo, and name resolution on this machine");
	text_free(&reasons);
}

bool hosts_expand(const struct hosts *hosts, const struct resolved *answers, size_t answer_count,
	size_t attempt, struct hosts *ret, struct fault *why)
{
	struct hosts expanded = {0};

	for (size_t i = 0; i < hosts->count; i++) {
		const struct host *host = &hosts->list[(attempt + i) % hosts->count];
		const struct resolved *found = find_answer(host, answers, answer_count);

		if (!found)
			add_copy(&expanded, host, host->address);
		for (size_t a = 0; found && a < found->count; a++)
			add_copy(&expanded, host, found->addresses[(attempt / hosts->count + a) % found->count]);
	}
	if (hosts->count > 0 && expanded.count == 0) {
		refuse_names(answers, answer_count, why);
		return false;
	}
	*ret = expanded;
	return true;
}
