"""The block map of an image (bmaptool): which blocks hold data, and their checksums."""

import hashlib
import os
import sys

BLOCK = 4096


def mapped_ranges(image, size):
    """Ranges of blocks that are not all zero: what the file system under the image leaves
    out as a hole depends on the machine, its content does not."""
    first = None
    block = 0
    zero = bytes(BLOCK)
    with open(image, "rb") as file:
        while chunk := file.read(BLOCK):
            if chunk != zero[: len(chunk)]:
                first = block if first is None else first
            elif first is not None:
                yield first, block - 1
                first = None
            block += 1
    if first is not None:
        yield first, block - 1


def checksum(image, first, last):
    with open(image, "rb") as file:
        file.seek(first * BLOCK)
        return hashlib.sha256(file.read((last - first + 1) * BLOCK)).hexdigest()


def main(image):
    size = os.path.getsize(image)
    ranges = list(mapped_ranges(image, size))
    lines = [
        f'      <Range chksum="{checksum(image, first, last)}"> {first}-{last} </Range>\n'
        for first, last in ranges
    ]

    def text(own_sum):
        return (
            '<?xml version="1.0" ?>\n<bmap version="2.0">\n'
            f"  <ImageSize> {size} </ImageSize>\n  <BlockSize> {BLOCK} </BlockSize>\n"
            f"  <BlocksCount> {-(-size // BLOCK)} </BlocksCount>\n"
            f"  <MappedBlocksCount> {sum(last - first + 1 for first, last in ranges)} </MappedBlocksCount>\n"
            "  <ChecksumType> sha256 </ChecksumType>\n"
            f"  <BmapFileChecksum> {own_sum} </BmapFileChecksum>\n"
            f"  <BlockMap>\n{''.join(lines)}  </BlockMap>\n</bmap>\n"
        )

    # bmaptool takes the file's sum with zeros where the sum stands.
    own_sum = hashlib.sha256(text("0" * 64).encode()).hexdigest()
    sys.stdout.write(text(own_sum))


if __name__ == "__main__":
    main(sys.argv[1])
