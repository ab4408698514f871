"""Compiles profiles with the libseccomp of this machine, for comparison.

Reads one JSON document a line: {"default": action, "architectures": [token], "optimize": n,
"rules": [[action, name, [[index, operator, a, b]]]]}. Answers each with {"program": hex, "unknown": [name]} or
{"error": errno, "rule": index}. libseccomp takes hours for some profiles: such a one ends this process by SIGALRM.
"""

import ctypes
import json
import os
import signal
import sys

lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_init.argtypes = [ctypes.c_uint32]
lib.seccomp_release.argtypes = [ctypes.c_void_p]
lib.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
lib.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
lib.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
lib.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Compare)
]
OPTIMIZE = 8
EEXIST = 17
# For one profile; most take a few milliseconds.
SECONDS = 5
file = os.memfd_create("program")


def compile(profile):
    context = lib.seccomp_init(profile["default"])
    try:
        for token in profile["architectures"]:
            answer = lib.seccomp_arch_add(context, token)
            if answer not in (0, -EEXIST):
                return {"error": -answer, "rule": -1}
        lib.seccomp_attr_set(context, OPTIMIZE, profile["optimize"])
        unknown = []
        for index, (action, name, args) in enumerate(profile["rules"]):
            number = lib.seccomp_syscall_resolve_name(name.encode())
            if number == -1:
                unknown.append(name)
                continue
            array = (Compare * len(args))(*(Compare(*arg) for arg in args))
            answer = lib.seccomp_rule_add_array(context, action, number, len(args), array)
            if answer != 0:
                return {"error": -answer, "rule": index}
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        answer = lib.seccomp_export_bpf(context, file)
        if answer != 0:
            return {"error": -answer, "rule": -1}
        return {"program": os.pread(file, 1 << 20, 0).hex(), "unknown": unknown}
    finally:
        lib.seccomp_release(context)


print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    signal.alarm(SECONDS)
    answer = compile(json.loads(line))
    signal.alarm(0)
    print(json.dumps(answer), flush=True)
