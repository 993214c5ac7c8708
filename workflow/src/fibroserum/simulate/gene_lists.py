"""Genes that every simulated cohort holds by name, with their level in cultured dermal fibroblasts.

Levels are orders of magnitude from general knowledge of fibroblast transcriptomes, in counts per
million (CPM); they come from no data set. A category is also a module: its genes share part of
their donor effects and residuals.
"""

from __future__ import annotations

from collections.abc import Mapping

# Levels of single genes, where the level itself matters.
CPM: Mapping[str, float] = {
    "COL1A1": 12000, "COL1A2": 9000, "COL3A1": 3500, "COL5A1": 500, "COL5A2": 450,
    "COL6A1": 1600, "COL6A2": 1400, "COL6A3": 1100, "COL12A1": 350, "COL14A1": 25,
    "FN1": 14000, "VIM": 5000, "SPARC": 5000, "BGN": 420, "DCN": 1800, "VCAN": 380, "LUM": 700,
    "PDGFRA": 45, "HAS1": 0.004, "HAS2": 16, "ACTB": 4000, "GAPDH": 3000, "EEF1A1": 4500,
    "CCL28": 0.6, "PF4": 0.03, "CCR3": 0.02, "CCR10": 0.8, "XIST": 40,
}  # fmt: skip

TARGETS: tuple[str, ...] = (
    "BGN", "DCN", "VCAN", "HAS1", "HAS2", "COL1A1", "COL1A2", "COL3A1", "COL5A1", "COL6A1",
    "COL12A1", "COL14A1",
)  # fmt: skip

# Collagens that rise in every arm.
RISING_COLLAGENS: tuple[str, ...] = (
    "COL1A1", "COL1A2", "COL3A1", "COL5A1", "COL5A2", "COL5A3", "COL6A1", "COL6A2", "COL6A3",
    "COL12A1", "COL14A1", "COL16A1",
)  # fmt: skip

# Categories in the order in which small cohorts take them: {category: {CPM: symbols}}.
CATEGORIES: Mapping[str, Mapping[float, str]] = {
    "factor": {1: "CCL28 PF4 CCR3 CCR10"},
    "sex_y": {0: "RPS4Y1 DDX3Y KDM5D UTY EIF1AY"},
    "sex_x": {40: "XIST"},
    "marker": {
        1000: "VIM S100A6 LGALS1 TMSB10 THY1 PDGFRB",
        100: "PDGFRA FAP S100A4 CD44 NT5E ENG",
    },
    "other_cells": {
        0.02: "KRT5 KRT14 KRT1 KRT10 PTPRC CD3E CD14 PECAM1 VWF CDH5 EPCAM MLANA",
        1.0: "KRT18 KRT8",
    },
    "haemoglobin": {0.01: "HBA1 HBB HBD HBG2", 0.03: "HBA2"},
    "mitochondrial": {
        3000: "MT-CO1 MT-CO2 MT-CO3 MT-ND4 MT-CYB MT-ATP6",
        1200: "MT-ND1 MT-ND2 MT-ND3 MT-ND5 MT-ND4L MT-ATP8",
        300: "MT-ND6",
    },
    "ecm": {
        2000: "COL1A1 COL1A2 COL3A1 FN1 SPARC DCN TIMP1 TGFBI THBS1 IGFBP7",
        500: (
            "COL4A1 COL4A2 COL5A1 COL5A2 COL6A1 COL6A2 COL6A3 FBN1 BGN LUM VCAN MMP2 TIMP2 TIMP3 "
            "CTSK CTSB SERPINH1 LOX POSTN FBLN1 IGFBP3 IGFBP5 TNC P4HB"
        ),
        100: (
            "COL12A1 COL16A1 COL8A1 COL11A1 COL5A3 COL18A1 COL7A1 COL15A1 ELN EMILIN1 EMILIN2 "
            "EFEMP1 EFEMP2 FBLN2 FBLN5 FSTL1 LAMA4 LAMB1 LAMB2 LAMC1 LOXL1 LOXL2 LTBP1 LTBP2 LTBP3 "
            "MFAP2 MFAP4 MFAP5 MGP NID1 NID2 PCOLCE PLOD1 PLOD2 PLOD3 P4HA1 P4HA2 PXDN THBS2 HSPG2 "
            "PRELP OGN ASPN FMOD AEBP1 CCN1 CCN5 IGFBP4 IGFBP6 MMP1 MMP14 ADAMTS1 ADAMTS2 ADAMTS5 "
            "SULF1 SULF2 SDC1 SDC2 SDC4 GPC1 GPC6 HAPLN3 DPT CTHRC1 TNXB SRPX SRPX2 SVEP1 "
            "BMP1 CD248 ITGA11 ITGB1 ITGA5 ITGAV DDR2"
        ),
        8: (
            "COL4A5 COL4A6 COL8A2 COL10A1 COL13A1 COL14A1 COL21A1 COL24A1 COL27A1 ACAN HAPLN1 FBN2 "
            "FGL2 FNDC1 HMCN1 LAMA2 LAMA3 LAMA5 LAMB3 LAMC2 LOXL3 LOXL4 LTBP4 MATN2 MATN3 MXRA5 "
            "NTN4 OMD PODN SMOC1 SMOC2 SPOCK1 SPON1 SPON2 TNFAIP6 VIT VWA1 CHAD COMP CILP "
            "ECM1 ECM2 ADAMTS4 ADAMTS9 ADAMTS12 ADAMTS14 MMP3 MMP10 MMP11 MMP13 MMP16 MMP19 "
            "TIMP4 HAS2 HAS3 HYAL2 CEMIP"
        ),
        0.05: "HAS1 COL2A1 COL9A1 COL17A1 COL19A1 COL20A1 COL22A1 MMP7 MMP8 MMP9 MMP12 DMP1 IBSP",
    },
    "tgfb": {
        600: "SERPINE1 TAGLN CCN2 TPM1 CALD1 MYL9",
        60: (
            "ACTA2 SMAD7 SMAD3 SMAD2 SMAD4 SKI SKIL TGFB1 TGFBR1 TGFBR2 TGFB1I1 PMEPA1 JUNB "
            "KLF10 BHLHE40 TSPAN2 CDKN1A CDKN2B ID1 ID2 ID3 LMCD1 SNAI2 NUAK1 ANGPTL4 CNN1"
        ),
        4: "SMAD6 SMURF1 SMURF2 NOG BAMBI TGFB2 TGFB3 GREM1 IL11 PDGFB",
    },
    "proliferation": {
        25: (
            "MKI67 TOP2A PCNA MCM2 MCM3 MCM4 MCM5 MCM6 MCM7 CCNB1 CCNB2 CCNA2 CDK1 CDC20 CDC6 "
            "AURKA AURKB BUB1 BUB1B BIRC5 TYMS RRM2 TK1 UBE2C NUSAP1 CENPF KIF11 KIF20A PLK1 TPX2 "
            "CCNE2 E2F1 FEN1 GINS2 HELLS UHRF1 UNG RFC4 NDC80 DLGAP5"
        ),
    },
    "housekeeping": {
        1500: "ACTB ACTG1 GAPDH EEF1A1 TUBA1A TUBB PPIA PKM LDHA ENO1 ALDOA HSP90AB1 HSPA8",
        900: (
            "RPLP0 RPLP1 RPLP2 RPL3 RPL4 RPL5 RPL7 RPL8 RPL10 RPL11 RPL13 RPL13A RPL18 RPL19 RPL27 "
            "RPL32 RPL37A RPS2 RPS3 RPS4X RPS5 RPS6 RPS8 RPS9 RPS11 RPS12 RPS14 RPS18 RPS19 RPS23 "
            "RPS27A"
        ),
        60: "HPRT1 TBP B2M UBC YWHAZ SDHA HMBS GUSB TFRC PGK1",
    },
}

# Families that fibroblasts hardly express: not drawn as background.
UNEXPRESSED = (
    r"OR\d+[A-Z]|KRT|TAS2R|IG[HKL][VCJDMGAE]|TR[ABDG][VCJ]|HB[ABDEGMQZ]\d?$|DEF[AB]|PRAMEF|GAGE|"
    r"MAGEA|VN1R|TAAR|LCE|SPRR|CRY[ABG]|USP17L|LOC|C\d+orf|CT\d+"
)
