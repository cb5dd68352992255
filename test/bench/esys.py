"""TPM commands through tpm2-tss ESYS, the C stack, from Python: prints the milliseconds of each call as one JSON object.

usage: esys.py SOCKET HANDLE AUTH_HEX CALLS
"""
import json
import sys
import time

from tpm2_pytss import ESAPI, TPM2B_DATA, TPML_PCR_SELECTION, TPMT_SIG_SCHEME
from tpm2_pytss.constants import TPM2_ALG


def each_of(calls, work):
    work()
    samples = []
    for _ in range(calls):
        begun = time.perf_counter()
        work()
        samples.append((time.perf_counter() - begun) * 1000)
    return samples


socket, handle, auth, calls = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), int(sys.argv[4])
with ESAPI(f"swtpm:path={socket}") as esys:
    key = esys.tr_from_tpmpublic(handle)
    esys.tr_set_auth(key, auth)
    pcrs = TPML_PCR_SELECTION.parse("sha256:0,1,2,3,4,5,6,7")
    data = TPM2B_DATA(bytes(32))
    scheme = TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL)
    print(json.dumps({
        "quote": each_of(calls, lambda: esys.quote(key, pcrs, data, scheme)),
        "random": each_of(calls, lambda: esys.get_random(32)),
    }))
