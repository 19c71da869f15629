"""Tables that were imported: columns on the disk, read through memory maps.

`importing` writes them from files of any usual kind, in blocks; `opened` reads them as a `Table`;
`mapped` keeps what is made of them, values end to end, on the disk too.
"""

from carousel.data.store.folder import Store, is_store, overlap

__all__ = ["Store", "is_store", "overlap"]
