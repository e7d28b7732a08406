/* SPDX-License-Identifier: ISC
 * complete.c - the scripts by which bash, zsh and fish complete our command line
 *
 * They are made out of the table of options, so a new option needs nothing here. What an option's
 * value can be follows from its kind.
 */
#include "cli/complete.h"
#include "cli/optable.h"
#include "cli/out.h"

/* What a shell may offer for the value of an option */
enum value {
	VALUE_NONE,      /* the option takes none */
	VALUE_ANY,       /* nothing can be offered */
	VALUE_FILE,      /* the name of a file */
	VALUE_DIRECTORY, /* the name of a directory */
	VALUE_AT_FILE,   /* the name of a file after '@' */
	VALUE_WORDS      /* one of wq_option_words() */
};

static enum value value_of(const struct wq_option *option)
{
	if (!wq_takes_value(option))
		return VALUE_NONE;
	if (wq_option_words(option))
		return VALUE_WORDS;
	switch (option->kind) {
	case WQ_KIND_FILE:
		return VALUE_FILE;
	case WQ_KIND_DIRECTORY:
		return VALUE_DIRECTORY;
	case WQ_KIND_SECRET:
	case WQ_KIND_HEADER:
	case WQ_KIND_DATA:
		return VALUE_AT_FILE;
	default:
		return VALUE_ANY;
	}
}

static void put_words(struct wq_out *out, const struct wq_option *option)
{
	const char *const *words = wq_option_words(option);
	size_t i;

	for (i = 0; words[i]; i++) {
		if (i > 0)
			wq_out(out, " ");
		wq_out(out, words[i]);
	}
}

/* "--count" */
static void put_long(struct wq_out *out, const struct wq_option *option)
{
	wq_out(out, "--");
	wq_out(out, option->name);
}

/* "-n" */
static void put_short(struct wq_out *out, const struct wq_option *option)
{
	wq_out(out, "-");
	wq_out_n(out, &option->letter, 1);
}

/* bash. It takes a command line apart at '=' and '@', which are then words of their own, or one
 * word "=@", and it replaces only what comes after them. If a user has changed that,
 * "@FILE" is one word. */

static const char bash_head[] =
    "# bash completion of wsquery\n"
    "_wsquery() {\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} n=$((COMP_CWORD - 1)) break=\n"
    "\tif [[ $cur == = || $cur == @ || $cur == =@ ]]; then\n"
    "\t\tbreak=$cur cur=\n"
    "\telif [[ ${COMP_WORDS[n]} == = || ${COMP_WORDS[n]} == @ || ${COMP_WORDS[n]} == =@ ]]; then\n"
    "\t\tbreak=${COMP_WORDS[n]}\n"
    "\t\tn=$((n - 1))\n"
    "\telif [[ $cur == @* ]]; then\n"
    "\t\tbreak=@ cur=${cur#@}\n"
    "\tfi\n"
    "\tCOMPREPLY=()\n"
    "\tcase ${COMP_WORDS[n]} in\n";

static const char bash_before_options[] = "\t*)\n"
                                          "\t\tlocal options=\"";

static const char bash_tail[] =
    "\"\n"
    "\t\tif [[ $cur == -* ]]; then\n"
    "\t\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
    "\t\tfi\n"
    "\t\t;;\n"
    "\tesac\n"
    "}\n"
    "complete -F _wsquery wsquery\n";

static const char *bash_reply(enum value value)
{
	switch (value) {
	case VALUE_FILE:
		return "\t\tcompopt -o filenames\n"
		       "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n";
	case VALUE_DIRECTORY:
		return "\t\tcompopt -o filenames\n"
		       "\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n";
	case VALUE_AT_FILE:
		return "\t\tif [[ $break == *@ ]]; then\n"
		       "\t\t\tcompopt -o filenames\n"
		       "\t\t\tmapfile -t COMPREPLY < <(compgen -P @ -f -- \"$cur\")\n"
		       "\t\tfi\n";
	default:
		return "";
	}
}

/* "\t-n | --count)\n" for one option */
static void bash_put_pattern(struct wq_out *out, const struct wq_option *option)
{
	wq_out(out, "\t");
	if (option->letter) {
		put_short(out, option);
		wq_out(out, " | ");
	}
	put_long(out, option);
	wq_out(out, ")\n");
}

static void bash_put_case(struct wq_out *out, const struct wq_option *option)
{
	enum value value = value_of(option);

	if (value == VALUE_NONE)
		return;
	bash_put_pattern(out, option);
	if (value == VALUE_WORDS) {
		wq_out(out, "\t\tmapfile -t COMPREPLY < <(compgen -W \"");
		put_words(out, option);
		wq_out(out, "\" -- \"$cur\")\n");
	}
	wq_out(out, bash_reply(value));
	wq_out(out, "\t\t;;\n");
}

static void put_bash(struct wq_out *out)
{
	size_t i;

	wq_out(out, bash_head);
	for (i = 0; i < wq_n_options; i++)
		bash_put_case(out, &wq_option_table[i]);
	wq_out(out, bash_before_options);
	for (i = 0; i < wq_n_options; i++) {
		if (i > 0)
			wq_out(out, " ");
		put_long(out, &wq_option_table[i]);
	}
	wq_out(out, bash_tail);
}

/* zsh */

static const char zsh_head[] = "#compdef wsquery\n"
                               "# zsh completion of wsquery\n"
                               "_wsquery_at() { compset -P @ && _files }\n"
                               "_wsquery_url() { compadd -S '' -- ws:// wss:// }\n"
                               "_arguments -s -S";

static const char zsh_tail[] = " \\\n\t'*:URL:_wsquery_url'\n";

/* What follows an option's name: ":VALUE:ACTION". A space as ACTION offers nothing. */
static void zsh_put_value(struct wq_out *out, const struct wq_option *option)
{
	switch (value_of(option)) {
	case VALUE_NONE:
		return;
	case VALUE_ANY:
		wq_out(out, ":value: ");
		return;
	case VALUE_FILE:
		wq_out(out, ":file:_files");
		return;
	case VALUE_DIRECTORY:
		wq_out(out, ":directory:_files -/");
		return;
	case VALUE_AT_FILE:
		wq_out(out, ":value:_wsquery_at");
		return;
	case VALUE_WORDS:
		wq_out(out, ":word:(");
		put_words(out, option);
		wq_out(out, ")");
		return;
	}
}

/* One argument of _arguments. '*': the option may be repeated. "-n+" and "--count=": the value is
 * the rest of the word, or the next one. */
static void zsh_put_spec(struct wq_out *out, const struct wq_option *option, bool is_short)
{
	bool has_value = wq_takes_value(option);

	wq_out(out, " \\\n\t'*");
	if (is_short) {
		put_short(out, option);
		if (has_value)
			wq_out(out, "+");
	} else {
		put_long(out, option);
		if (has_value)
			wq_out(out, "=");
	}
	zsh_put_value(out, option);
	wq_out(out, "'");
}

static void put_zsh(struct wq_out *out)
{
	size_t i;

	wq_out(out, zsh_head);
	for (i = 0; i < wq_n_options; i++) {
		if (wq_option_table[i].letter)
			zsh_put_spec(out, &wq_option_table[i], true);
		zsh_put_spec(out, &wq_option_table[i], false);
	}
	wq_out(out, zsh_tail);
}

/* fish */

static const char fish_head[] =
    "# fish completion of wsquery\n"
    "function __wsquery_at\n"
    "\tset -l value (commandline -ct | string replace -r '^(--[^=]*=|-[A-Za-z])' '')\n"
    "\tstring match -q '@*' -- $value; or return\n"
    "\tset -l begin (string sub -s 2 -- $value)\n"
    "\tfor name in $begin*\n"
    "\t\tif test -d $name\n"
    "\t\t\techo @$name/\n"
    "\t\telse\n"
    "\t\t\techo @$name\n"
    "\t\tend\n"
    "\tend\n"
    "end\n"
    "complete -c wsquery -f -a 'ws:// wss://'\n";

static void fish_put_value(struct wq_out *out, const struct wq_option *option)
{
	switch (value_of(option)) {
	case VALUE_NONE:
		return;
	case VALUE_ANY:
		wq_out(out, " -x");
		return;
	case VALUE_FILE:
		wq_out(out, " -r -F");
		return;
	case VALUE_DIRECTORY:
		wq_out(out, " -x -a '(__fish_complete_directories)'");
		return;
	case VALUE_AT_FILE:
		wq_out(out, " -x -a '(__wsquery_at)'");
		return;
	case VALUE_WORDS:
		wq_out(out, " -x -a '");
		put_words(out, option);
		wq_out(out, "'");
		return;
	}
}

static void put_fish(struct wq_out *out)
{
	size_t i;

	wq_out(out, fish_head);
	for (i = 0; i < wq_n_options; i++) {
		const struct wq_option *option = &wq_option_table[i];

		wq_out(out, "complete -c wsquery");
		if (option->letter) {
			wq_out(out, " -s ");
			wq_out_n(out, &option->letter, 1);
		}
		wq_out(out, " -l ");
		wq_out(out, option->name);
		fish_put_value(out, option);
		wq_out(out, "\n");
	}
}

void wq_put_completion(struct wq_out *out, enum wq_help shell)
{
	switch (shell) {
	case WQ_COMPLETE_BASH:
		put_bash(out);
		return;
	case WQ_COMPLETE_ZSH:
		put_zsh(out);
		return;
	case WQ_COMPLETE_FISH:
		put_fish(out);
		return;
	default:
		return;
	}
}
