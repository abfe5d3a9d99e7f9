"""What the publisher of GEO-Bench-2 states: statistics of bands and checksums of files.

Both are of release 0.9 of the package GeoBenchV2, statistics to five digits.
"""

from __future__ import annotations

_STATISTICS = {
    "benv2": """
        B01 355.96 512.34; B02 414.37 541.95; B03 594.1 532.58; B04 559.04 607.02;
        B05 919.41 646.34; B06 1794.7 1041.4; B07 2091.5 1231.8; B08 2241.5 1340.5;
        B8A 2288 1316; B09 2289.5 1267.4; B11 1557 984.29; B12 973.83 753.21;
        VV -18.963 5.3961; VH -12.092 4.5749""",
    "treesatai": """
        nir 154.29 49.029; green 92.135 33.529; blue 85.363 27.932; red 79.308 33.364;
        vv -6.3649 3.5287; vh -12.509 3.2121; vv/vh 0.48924 0.25829; B02 245.31 117.73;
        B03 387.64 130.1; B04 248.47 129.66; B08 2825.9 756.82; B05 625.93 191.35;
        B06 2118.8 517.28; B07 2709.4 691.15; B8A 2982.2 754.94; B11 1316.7 411.34;
        B12 594.2 234.49; B01 265.81 125.99; B09 2962.2 674.17""",
    "so2sat": """
        B02 0.12951 0.041424; B03 0.11724 0.051963; B04 0.11381 0.073325; B05 0.12717 0.069364;
        B06 0.17067 0.075056; B07 0.19281 0.085589; B08 0.18548 0.086505; B8A 0.20729 0.093971;
        B11 0.17685 0.10239; B12 0.1285 0.092275; VV -2.9148e-05 0.5443; VH -2.4044e-05 0.21561""",
    "forestnet": """
        B02 72.376 16.284; B03 83.182 15.359; B04 77.086 16.666; B8A 123.54 16.949;
        B11 91.048 14.28; B12 74.31 13.285""",
    "burn_scars": """
        B02 0.03335 0.022691; B03 0.057012 0.026808; B04 0.058897 0.040041; B8A 0.23232 0.077917;
        B11 0.19729 0.087087; B12 0.11945 0.07242""",
    "caffe": "gray 62.682 79.8",
    "cloudsen12": """
        B01 2030.2 2723.4; B02 2074.8 2691.3; B03 2209.8 2539.9; B04 2247.9 2538.5;
        B05 2589.6 2504.3; B06 3103.5 2241.7; B07 3277.9 2145.7; B08 3331.6 2177;
        B8A 3377.5 2066.8; B09 4038.2 3083.2; B11 2448.7 1595.1; B12 1907.7 1474.1""",
    "dynamic_earthnet": """
        red 1011.4 888.1; green 881.26 647.63; blue 641.12 523.49; nir 2609.9 992.06;
        B01 1091.8 1414.6; B02 1318.9 1343.8; B03 1380.1 1427.9; B04 2678.5 1376.5;
        B05 1731 1429.6; B06 2373.4 1333.8; B07 2630.1 1370.5; B08 2782.7 1386.9;
        B8A 2307.2 1394.9; B10 1719.9 1304.7; B11 1003.9 1475.8; B12 3031 2124.4""",
    "flair2": """
        red 110.31 50.71; green 114.79 44.316; blue 105.61 43.295; nir 104.34 39.05;
        elevation 17.697 29.943""",
    "fotw": "red 862.08 681.17; green 853.39 508.64; blue 592.01 454.02; nir 2984.3 1043.7",
    "kuro_siwo": "vv 0.0953 0.0427; vh 0.0264 0.0215; dem 93.431 1410.8",
    "pastis": """
        B02 1370 2247.8; B03 1583.1 2179.2; B04 1627.6 2255.2; B05 1930.8 2142.7;
        B06 2921.8 1928.7; B07 3284.9 1900.9; B08 3421.8 1890.3; B8A 3544.2 1873.1;
        B11 2564.7 1409.2; B12 1708.6 1189.1; VV_asc -10.284 3.0927; VH_asc -16.866 3.0265;
        VV/VH_asc 6.5818 3.3432; VV_desc -10.349 3.2165; VH_desc -16.902 3.0307;
        VV/VH_desc 6.5533 3.3312""",
    "spacenet2": """
        coastal 298.73 106.98; blue 358.01 148.19; green 464.51 224.41; yellow 419.95 225.79;
        red 333.6 194.02; red_edge 408.67 208.46; nir1 475.08 234.76; nir2 362.35 193.23;
        pan 468.57 260.9""",
    "spacenet7": "red 116.94 61.656; green 103.56 49.649; blue 76.774 45.881; nir 0 255",
    "biomassters": """
        VV_asc -10.211 4.6868; VH_asc -16.247 7.0491; VV_desc -10.16 4.7536;
        VH_desc -16.178 7.1921; B02 2058.1 2772.9; B03 1962.3 2583; B04 1976.1 2660.8;
        B05 2247.4 2692.4; B06 2639.3 2556.1; B07 2676.6 2445.8; B08 2813.4 2548.5;
        B8A 2724.1 2371; B11 814.91 993.08; B12 614.98 843.78""",
    "everwatch": "red 68.098 46.883; green 83.531 50.394; blue 35.01 29.953",
    "nzcattle": "red 126.21 18.658; green 130.09 23.069; blue 106.48 19.505",
    "substation": """
        B01 1439.5 281.24; B02 1238.3 384.89; B03 1204.9 446.68; B04 1188.5 665.45;
        B05 1428.9 592.29; B06 2204.4 605.97; B07 2580 750.55; B08 2501.6 766.07;
        B8A 2803.2 832.44; B09 824.64 326.44; B10 16.956 16.071; B11 2201.2 835.5;
        B12 1500.4 814.52""",
}

_SHA256 = {
    "benv2": "821c2f429c3e85c158c758bbb215bf61170a2451a11284efaf0f89cef97e468a",
    "treesatai": "0ddb8068720242ad4f5931ea91f3459ed695ad490bbaa48905afe72dd9623aee",
    "so2sat": "2f9aa3a0cbf7f5071d2fafee24156a6041a9c732f0f979881b8db582201aa7bc",
    "forestnet": "6ee7cb7135b4ca5d0cde52e781f5960ed0e648dcceab598982fa612802cd3ad1",
    "burn_scars": "9f865e72bc4aeb657ee03be167a093f80ee92403ccb2c23b4d19be1189e442aa",
    "caffe": "8b2a2e1020a26a2e62080c96646c9c1f1cb35a54722739f8cef6f11122c4161e",
    "cloudsen12": "16b3c03d7b15cf42f6ef0cee6d453b6ad8ebbe7744674c4b58657511f7f5d0c0",
    "dynamic_earthnet": """
        3459ed6e7b528a6356f2ac8249d75c7c199230c4df28ec60e19f67684c4fefe5
        31b757804a687c2761fa991de48d98312f0b35140c5d54a5074b4267da1aaf8c
        b8e3bc71aaf0422564e91117ca6192fa441ab9405b115c84a5e32b586b41d8c2""",
    "flair2": "f446098513d85591b8abae03e8d98447d2ab5173271f85c11f40edcdb1e2e1a9",
    "fotw": "2584cdada3dd3c275792d2376c8bbca782a7b1faea54924c9627906f0296854c",
    "kuro_siwo": "4830fe6f23bf9750dee0c765850724b55026bf5d47cb67162d3ef7dcb04c3bbd",
    "pastis": """
        56b1490c6dc7345fdff79e94d9132753ee28d8504bb061d8db39d19e888f7ca3
        7d0463a695a0822a1f25638598b2d54daf28f387d6a80d353be7c323069060db
        22d27389b1ccee4f250f4a187d034d12dbf15c5610a5dd8d502ee8783e94c81e""",
    "spacenet2": "e48e57654c1755a6b1c79bcfe172035a27b815ebe1738d1ce95d96d5c37214b6",
    "spacenet7": "f202abe270b729f7f2651de64cb5c6b41c5f9915109ec12b6c467afa2abcb5b6",
    "biomassters": """
        52bdd8f76107ef14498c54c751c0cddb9ab073fc03cff0102b05406af127b747
        52b3217ad7b44667f147fc2033769e42f2c47b502126f3ff9413c7f75b2de82f
        7da0898b25ff4ca23a8bbe06dcf383ae70068b78c95132ae26abdabbba4c13d4""",
    "everwatch": "4afb1eada24ce990c1798fa481963ab8c0a0e302ba2d4112f02261c6a8246272",
    "nzcattle": "70ca3b78af3f5b17868dd856b8e31b102a03e74439d58960a69c77b1efcd31c1",
    "substation": "7f12cd5b510fca4a153b8e77b786d7fc7f7c4e04aece1507121e9c24ff1d47a4",
}


def statistics(dataset: str) -> dict[str, tuple[float, float]]:
    """Band → published mean and standard deviation; empty where none are published."""
    rows = (row.split() for row in _STATISTICS.get(dataset, "").split(";") if row.strip())
    return {band: (float(mean), float(std)) for band, mean, std in rows}


def checksums(files: str) -> dict[str, str]:
    """Name of each published file → its SHA-256.

    Args:
        files: The start of the names: ``"geobench_pastis"``.
    """
    digests = _SHA256.get(files.removeprefix("geobench_"), "").split()
    if len(digests) == 1:
        return {f"{files}.tortilla": digests[0]}
    return {f"{files}.{part:04d}.part.tortilla": digest for part, digest in enumerate(digests)}
