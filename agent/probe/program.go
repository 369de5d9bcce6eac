package probe

import (
	"regexp"
	"strings"
)

// Program is the name of what runs, as people know it: the name that it was called by
// where its file is a link's target ("redis-server" for redis-check-rdb), the script
// or module that an interpreter runs, else the executable's.
func (p *Proc) Program() string {
	if p.program == nil {
		name := p.called()
		if script := scriptOf(p.binary(), p.Args); script != "" {
			name = script
		}
		p.program = &name
	}
	return *p.program
}

// binary is the executable's base name, or where it may not be read the first
// argument's if that is an interpreter's, else the kernel's name of the process.
func (p *Proc) binary() string {
	if p.Exe != "" {
		return baseName(p.Exe)
	}
	if len(p.Args) > 0 {
		if name := strings.TrimPrefix(baseName(p.Args[0]), "-"); interpreterOf(name) != nil {
			return name
		}
	}
	return p.Name
}

// commLength is how much of a name the kernel keeps.
const commLength = 15

// called is the name under which the program was started. The kernel keeps the name
// of the file that was asked for, the process keeps it in its first argument: where
// both say the same, and the file that runs is called otherwise, it was a link.
func (p *Proc) called() string {
	file := p.binary()
	if p.Exe == "" || len(p.Args) == 0 || p.Name == "" || interpreterOf(file) != nil {
		return file
	}
	first, _, _ := strings.Cut(p.Args[0], " ")
	first = strings.TrimPrefix(strings.TrimSuffix(baseName(first), ":"), "-")
	if first == "" || first == file || len(first) > maxProgram {
		return file
	}
	if first == p.Name || len(p.Name) == commLength && strings.HasPrefix(first, p.Name) {
		return first
	}
	return file
}

// manages says whether the process is a service manager: the first one, or a user's.
func (p *Proc) manages() bool { return p.PID == 1 || p.Home.Unit == "init.scope" }

// interpreter is a program that runs others' programs.
type interpreter struct {
	// valued are options whose value is the next argument; other options stand alone.
	valued string
	// inline options bring the program in the argument: it has no name.
	inline string
	// module options name a module instead of a file.
	module string
	// verbs stand before the program ("deno run").
	verbs string
}

var interpreters = []struct {
	name *regexp.Regexp
	interpreter
}{
	{regexp.MustCompile(`^(python|pypy|graalpy)[\d.]*t?$`), interpreter{valued: "-W -X --check-hash-based-pycs", inline: "-c", module: "-m"}},
	{regexp.MustCompile(`^(perl|suidperl)[\d.]*$`), interpreter{inline: "-e -E"}},
	{regexp.MustCompile(`^(ruby|jruby|truffleruby)[\d.]*$`), interpreter{valued: "-I -r -C -E -K -W --encoding", inline: "-e"}},
	{regexp.MustCompile(`^(node|nodejs|iojs)\d*$`), interpreter{valued: "-r --require --import --loader --experimental-loader -C --conditions --env-file --title --icu-data-dir --openssl-config", inline: "-e --eval -p --print -pe"}},
	{regexp.MustCompile(`^(bun|deno)$`), interpreter{valued: "-c --config --import-map --preload -r", inline: "-e eval", verbs: "run serve x task"}},
	{regexp.MustCompile(`^php(-cli)?[\d.]*$`), interpreter{valued: "-c -d -z -t", inline: "-r -B -R -E -S", module: "-f"}},
	{regexp.MustCompile(`^(r?bash|dash|ash|sh|zsh|[mp]?ksh(93)?|fish|tcsh|csh)$`), interpreter{valued: "-o -O +O +o --rcfile --init-file", inline: "-c -s -lc -ic -ec -xc"}},
	{regexp.MustCompile(`^(lua|luajit|texlua)[\d.]*$`), interpreter{valued: "-l", inline: "-e"}},
	{regexp.MustCompile(`^(tclsh|wish|expect|guile|julia|gjs|Rscript|raku|escript|groovy|pwsh|mono|mono-sgen)[\d.]*$`), interpreter{valued: "-L -l --project -J", inline: "-e -c --command"}},
	{regexp.MustCompile(`^dotnet$`), interpreter{valued: "--runtimeconfig --depsfile --additionalprobingpath --fx-version --roll-forward", verbs: "exec"}},
	{regexp.MustCompile(`^java$`), interpreter{valued: "-cp -classpath --class-path -p --module-path --add-modules --add-opens --add-exports --add-reads --upgrade-module-path --limit-modules --enable-native-access", module: "-jar -m --module"}},
}

func interpreterOf(program string) *interpreter {
	for i := range interpreters {
		if interpreters[i].name.MatchString(program) {
			return &interpreters[i].interpreter
		}
	}
	return nil
}

// maxProgram is a length that no name of a program reaches.
const maxProgram = 64

// scriptOf names what an interpreter runs, "" when the program is none, runs what
// stands in its arguments, or has written a title over them.
func scriptOf(program string, args []string) string {
	how := interpreterOf(program)
	if how == nil || len(args) < 2 {
		return ""
	}
	is := func(list, option string) bool {
		for _, one := range strings.Fields(list) {
			if one == option {
				return true
			}
		}
		return false
	}
	for i := 1; i < len(args); i++ {
		arg := args[i]
		switch {
		case is(how.inline, arg):
			return ""
		case is(how.module, arg):
			if i+1 >= len(args) {
				return ""
			}
			return scriptName(args[i+1])
		case is(how.valued, arg):
			i++
		case is(how.verbs, arg):
		case arg == "" || arg == "--":
		case arg[0] == '-' || arg[0] == '+' || arg[0] == '@':
		default:
			return scriptName(arg)
		}
	}
	return ""
}

// scriptName is a script's base name; a module or a class is named as it is. What
// cannot be the name of a program is none: it may be anything that was typed.
func scriptName(arg string) string {
	name := arg
	if module, class, ok := strings.Cut(arg, "/"); ok && strings.Contains(module, ".") && !strings.Contains(class, "/") && strings.Contains(class, ".") {
		name = class // module/class of a modular Java program
	}
	name = strings.TrimSuffix(name, "/")
	name = baseName(name)
	if name == "" || name == "." || len(name) > maxProgram || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || strings.ContainsRune("=;&|<>$\"'`(){}", r) }) {
		return ""
	}
	return name
}
