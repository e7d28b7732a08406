/* SPDX-License-Identifier: ISC
 * optable.h - the table of options, for the files that read a command line
 */
#ifndef WQ_OPTABLE_H
#define WQ_OPTABLE_H
#include "cli/options.h"

/* What the value of an option is, and the type of the member of struct wq_options that holds it */
enum wq_option_kind {
	WQ_KIND_FLAG,      /* no value; bool */
	WQ_KIND_LIB_FLAG,  /* no value; int, 1 */
	WQ_KIND_IPV4,      /* no value */
	WQ_KIND_IPV6,      /* no value */
	WQ_KIND_STRING,    /* const char * */
	WQ_KIND_FILE,      /* const char *, the name of a file */
	WQ_KIND_DIRECTORY, /* const char *, the name of a directory */
	WQ_KIND_SECRET,    /* const char *, never shown; "@FILE" reads it from a file */
	WQ_KIND_LIST,      /* const char **, one more element */
	WQ_KIND_HEADER,    /* the same, never shown; "@FILE" reads lines from a file */
	WQ_KIND_NUMBER,    /* int */
	WQ_KIND_DURATION,  /* int, milliseconds */
	WQ_KIND_TIMEOUT,   /* the same, for -t and -m */
	WQ_KIND_MAX_TIME,
	WQ_KIND_SECONDS,     /* int, whole seconds */
	WQ_KIND_RANGE,       /* struct wq_range */
	WQ_KIND_CERT_EXPIRY, /* days, or two numbers of them */
	WQ_KIND_SIZE,        /* size_t */
	WQ_KIND_TLS_VERSION, /* int, 12 or 13 */
	WQ_KIND_FORMAT,
	WQ_KIND_DATA,
	WQ_KIND_DATA_RAW,
	WQ_KIND_DATA_EXPAND,
	WQ_KIND_EXPECT,
	WQ_KIND_FAIL_ON,
	WQ_KIND_UNTIL,
	WQ_KIND_HELP,      /* no value */
	WQ_KIND_VERSION,   /* no value */
	WQ_KIND_COMPLETION /* the name of a shell */
};

/* The part of the program without which an option is an error */
enum wq_option_part {
	WQ_PART_CORE,
	WQ_PART_FORMATS,
	WQ_PART_PROXY,
	WQ_PART_REDIRECTS,
	WQ_PART_TLS
};

struct wq_option {
	const char *name;
	char letter; /* 0: it has no short form */
	enum wq_option_kind kind;
	size_t at;         /* offset in struct wq_options; 0 if the kind needs none */
	const char *field; /* of struct ws_options, as ws_report()->option names it; or NULL */
	enum wq_option_part part;
};

extern const struct wq_option wq_option_table[];
extern const size_t wq_n_options;

/* NULL: there is no such option. The name has len bytes. */
const struct wq_option *wq_find_long(const char *name, size_t len);
const struct wq_option *wq_find_short(char letter);
/* suggest.c: the name of the option that was meant by one that does not exist, or NULL */
const char *wq_suggest_option(const char *name, size_t len);
bool wq_takes_value(const struct wq_option *option);
/* The words that the value can be, up to NULL; or NULL: it can be others */
const char *const *wq_option_words(const struct wq_option *option);
/* The place of value among the words, or -1 */
int wq_find_word(const char *const *words, const char *value);
/* The member of *o that holds the option's value */
void *wq_option_member(struct wq_options *o, const struct wq_option *option);

/* Reports a fault in o->why, unless an earlier one is there: the user sees only the first one.
 * wq_complain_of: "-t, --timeout: \"abc\" WHY"; value NULL: without it. */
void wq_complain(struct wq_options *o, const char *why);
void wq_complain_of(struct wq_options *o, const char *option, const char *value, const char *why);
/* True if value, the next argument, cannot be meant for the option: it is another option together with a
 * secret, or the URL. The option's own value was forgotten. "--name=VALUE" takes any value. */
bool wq_is_misplaced(const struct wq_option *option, const char *value);
/* The value in quotation marks, cut off where it is long, and before a secret */
void wq_put_value(struct wsi_text *t, const char *value);
bool wq_has_complained(const struct wq_options *o);

/* An array of o->room elements, all zero, or list if that is one already. NULL: o->no_memory. */
void *wq_list_room(struct wq_options *o, void *list, size_t element_size);
/* Adds a file to o->inputs. NULL: no memory. */
struct wq_input *wq_add_input(struct wq_options *o, const char *option, const char *path);

#endif
