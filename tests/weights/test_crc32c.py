import pytest

from weights.crc32c import crc32c, masked_crc32c


def test_checksum_equals_the_published_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720's CRC-32C of the usual nine digits
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize("n_bytes", [16383, 16384, 16385, 100_003])
def test_lanes_give_what_the_plain_loop_gives(n_bytes: int) -> None:
    data = bytes(index * 7 % 251 for index in range(n_bytes))
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    assert crc32c(data) == state ^ 0xFFFFFFFF


def test_mask_is_leveldbs() -> None:
    assert masked_crc32c(b"foo") != crc32c(b"foo")
    unmasked = (masked_crc32c(b"foo") - 0xA282EAD8) & 0xFFFFFFFF
    assert (unmasked >> 17 | unmasked << 15) & 0xFFFFFFFF == crc32c(b"foo")
