// Package function carries out the attack that the path names: in a process of its own, or here by Go's own system calls.
package function

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"faasioflex.dev/faasioflex"
)

func Handle(ctx context.Context, event faasioflex.Event) (any, error) {
	name := strings.TrimPrefix(event.Path, "/attack/")
	if name == "native" {
		var told arguments
		if err := event.JSON(&told); err != nil {
			return nil, err
		}
		return native(told), nil
	}
	body := event.Body
	if len(body) == 0 {
		body = []byte("{}")
	}
	command := exec.CommandContext(ctx, os.Getenv("VEHICLE_PYTHON"), "-I", "-B", "/ffx/code/vehicle/run.py", name)
	command.Stdin, command.Stderr = bytes.NewReader(body), os.Stderr
	said, err := command.Output()
	return string(said), err
}

type arguments struct {
	Paths    []string `json:"paths"`
	Targets  [][]any  `json:"targets"`
	Abstract []string `json:"abstract"`
	Pids     []int    `json:"pids"`
}

type booty struct {
	Got     map[string]string `json:"got"`
	Refused map[string]string `json:"refused"`
	Saw     map[string]any    `json:"saw"`
}

func (b *booty) tried(label string, what func() (any, error)) {
	if value, err := what(); err != nil {
		b.Refused[label] = err.Error()
	} else {
		b.Got[label] = fmt.Sprint(value)
	}
}

// Number by machine: amd64, arm64.
var numbers = map[string][2]uintptr{
	"mount": {165, 40}, "ptrace": {101, 117}, "unshare": {272, 97}, "setns": {308, 268}, "bpf": {321, 280},
	"perf_event_open": {298, 241}, "io_uring_setup": {425, 425}, "keyctl": {250, 219}, "userfaultfd": {323, 282},
	"pivot_root": {155, 41}, "chroot": {161, 51}, "kexec_load": {246, 104}, "init_module": {175, 105},
	"process_vm_readv": {310, 270}, "open_by_handle_at": {304, 265}, "reboot": {169, 142}, "swapon": {167, 224},
}

func native(told arguments) booty {
	found := booty{map[string]string{}, map[string]string{}, map[string]any{}}
	for _, path := range told.Paths {
		found.tried("read "+path, func() (any, error) { return os.Open(path) })
		found.tried("by root "+path, func() (any, error) { return os.Open("/proc/1/root" + path) })
		found.tried("connect "+path, func() (any, error) { return net.DialTimeout("unix", path, time.Second) })
	}
	for _, name := range told.Abstract {
		found.tried("connect @"+name, func() (any, error) { return net.DialTimeout("unix", "@"+name, time.Second) })
	}
	for _, target := range told.Targets {
		address := net.JoinHostPort(fmt.Sprint(target[0]), fmt.Sprint(target[1]))
		found.tried("tcp "+address, func() (any, error) { return net.DialTimeout("tcp", address, 1500*time.Millisecond) })
		found.tried("udp "+address, func() (any, error) {
			connection, err := net.Dial("udp", address)
			if err != nil {
				return nil, err
			}
			defer connection.Close()
			connection.SetDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := connection.Write([]byte("stolen")); err != nil {
				return nil, err
			}
			return connection.Read(make([]byte, 10))
		})
	}
	for _, pid := range told.Pids {
		found.tried(fmt.Sprint("kill ", pid), func() (any, error) { return nil, syscall.Kill(pid, syscall.SIGKILL) })
	}
	column := 0
	if runtime.GOARCH == "arm64" {
		column = 1
	}
	runtime.LockOSThread()
	for name, number := range numbers {
		found.tried("system call "+name, func() (any, error) {
			first := map[string]uintptr{"unshare": syscall.CLONE_NEWUSER, "ptrace": syscall.PTRACE_ATTACH}[name]
			answer, _, failed := syscall.RawSyscall6(number[column], first, 1, 0, 0, 0, 0)
			if failed != 0 {
				return nil, failed
			}
			return answer, nil
		})
	}
	for _, kind := range []int{syscall.SOCK_RAW, syscall.SOCK_PACKET} {
		for _, family := range []int{syscall.AF_INET, syscall.AF_INET6, syscall.AF_PACKET} {
			found.tried(fmt.Sprint("socket ", family, kind), func() (any, error) { return syscall.Socket(family, kind, syscall.IPPROTO_ICMP) })
		}
	}
	found.tried("new namespaces", func() (any, error) {
		command := exec.Command("/bin/true")
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET}
		return nil, command.Run()
	})
	found.tried("another uid", func() (any, error) {
		command := exec.Command("/bin/true")
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 0}}
		return nil, command.Run()
	})
	for _, file := range []string{"/ffx/deps/function", "/proc/self/exe"} {
		found.tried("write "+file, func() (any, error) { return os.OpenFile(file, os.O_WRONLY, 0) })
		found.tried("remove "+file, func() (any, error) { return nil, os.Remove(file) })
	}
	interfaces, _ := net.Interfaces()
	names := []string{}
	for _, one := range interfaces {
		names = append(names, one.Name)
	}
	found.Saw["interfaces"] = names
	return found
}
