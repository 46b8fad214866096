/**
 * The code points that Unicode 15.0 counts as letters, marks, numbers, punctuation or symbols, and the ASCII space:
 * what Go 1.21 to 1.25 call printable. Pinned, because a newer table would quote other names and so give other tree ids.
 * Ranges "first-last" in base 36, ascending.
 */
const RANGES = `
w-3i 4h-4s 4u-on oq-ov p0-p6 p8 pa-pt pv-10v 10x-11y 121-13e 13h-13j 13l-153 15c-162 167-16c
16u-17f 17h-1cs 1cu-1e5 1e8-1fu 1fx-1ip 1j4-1kq 1kt-1m5 1m8-1mm 1mo-1nf 1ni 1nk-1nu 1o0-1ou 1p4-1r5
1r7-1vn 1vp-1vw 1vz-1w0 1w3-1wo 1wq-1ww 1wy 1x2-1x5 1x8-1xg 1xj-1xk 1xn-1xq 1xz 1y4-1y5 1y7-1yb
1ye-1z2 1z5-1z7 1z9-1ze 1zj-1zk 1zn-208 20a-20g 20i-20j 20l-20m 20o-20p 20s 20u-20y 213-214 217-219
21d 21l-21o 21q 21y-22e 22p-22r 22t-231 233-235 237-23s 23u-240 242-243 245-249 24c-24l 24n-24p
24r-24t 24w 25c-25f 25i-25t 261-267 269-26b 26d-26k 26n-26o 26r-27c 27e-27k 27m-27n 27p-27t 27w-284
287-288 28b-28d 28l-28n 28s-28t 28v-28z 292-29j 29u-29v 29x-2a2 2a6-2a8 2aa-2ad 2ah-2ai 2ak 2am-2an
2ar-2as 2aw-2ay 2b2-2bd 2bi-2bm 2bq-2bs 2bu-2bx 2c0 2c7 2cm-2d6 2dc-2do 2dq-2ds 2du-2eg 2ei-2ex
2f0-2f8 2fa-2fc 2fe-2fh 2fp-2fq 2fs-2fu 2fx 2g0-2g3 2g6-2gf 2gn-2h8 2ha-2hc 2he-2i0 2i2-2ib 2id-2ih
2ik-2is 2iu-2iw 2iy-2j1 2j9-2ja 2jh-2ji 2jk-2jn 2jq-2jz 2k1-2k3 2kg-2ks 2ku-2kw 2ky-2mc 2me-2mg
2mi-2mn 2ms-2n7 2na-2nz 2o1-2o3 2o5-2om 2oq-2pd 2pf-2pn 2pp 2ps-2py 2q2 2q7-2qc 2qe 2qg-2qn 2qu-2r3
2r6-2r8 2rl-2t6 2tb-2u3 2v5-2v6 2v8 2va-2ve 2vg-2w3 2w5 2w7-2wt 2ww-2x0 2x2 2x4-2xa 2xc-2xl 2xo-2xr
2yo-30n 30p-31o 31t-32v 32x-33w 33y-34c 34e-34q 35s-3b9 3bb 3bh 3bk-3m0 3m2-3m5 3m8-3me 3mg 3mi-3ml
3mo-3ns 3nu-3nx 3o0-3ow 3oy-3p1 3p4-3pa 3pc 3pe-3ph 3pk-3py 3q0-3rk 3rm-3rp 3rs-3tm 3tp-3uk 3uo-3vd
3vk-3xx 3y0-3y5 3y8-4fz 4g1-4gs 4gw-4jc 4jk-4k5 4kf-4l2 4lc-4lv 4m8-4mk 4mm-4mo 4mq-4mr 4n4-4pp
4ps-4q1 4q8-4qh 4qo-4r1 4r3-4rd 4rk-4u0 4u8-4ve 4vk-4xh 4xs-4ym 4yo-4yz 4z4-4zf 4zk 4zo-50t 50w-510
51c-52j 52o-53d 53k-53u 53y-55n 55q-57i 57k-58c 58f-58p 58w-595 59c-59p 59s-5am 5c0-5e4 5e8-5fi
5fk-5ir 5j0-5kn 5kr-5l5 5l9-5mw 5n4-5oa 5od-5on 5ow-5q2 5q8-651 654-659 65c-66d 66g-66l 66o-66v 66x
66z 671 673-67x 680-69g 69i-69w 69y-6ab 6ae-6aj 6al-6b3 6b6-6b8 6ba-6bi 6c0-6cn 6cw-6e6 6eo-6ep
6es-6fi 6fk-6fw 6g0-6gw 6hc-6i8 6io-6mj 6mo-752 75s-762 76o-8kz 8l2-8lx 8lz-8vn 8vt-8x1 8x3 8x9
8xc-8yv 8z3-8z4 8zj-906 90g-90m 90o-90u 90w-912 914-91a 91c-91i 91k-91q 91s-91y 920-926 928-95p
96o-97d 97f-99v 9a8-9g5 9gw-9h7 9hd-9j3 9j5-9li 9ll-9of 9ol-9pr 9pt-9se 9sg-9ur 9v4-9we 9wg-wi4
wi8-wjq wk0-wtn wu8-wzb wzk-x56 x5c-x5d x5f x5h-x5l x6a-x7w x80-x89 x8g-x9z xa8-xc5 xce-xcp xcw-xg3
xgf-xh8 xhc-xjh xjj-xjt xjy-xku xkw-xme xmo-xn1 xn4-xnd xng-xqa xqz-xrq xs1-xs6 xs9-xse xsh-xsm
xsw-xt2 xt4-xta xtc-xuz xv4-xyl xyo-xyx xz4-16lf 16ls-16me 16mj-16nv 1d6o-1dgt 1dgw-1djt 1dkw-1dl2
1dlf-1dlj 1dlp-1dme 1dmg-1dmk 1dmm 1dmo-1dmp 1dmr-1dms 1dmu-1dqa 1dqr-1e33 1e36-1e4n 1e4v 1e5s-1e6x
1e74-1e8i 1e8k-1e92 1e94-1e97 1e9c-1e9g 1e9i-1ed8 1edd-1eim 1eiq-1eiv 1eiy-1ej3 1ej6-1ejb 1eje-1ejg
1ejk-1ejq 1ejs-1ejy 1ekc-1ekd 1ekg-1ekr 1ekt-1eli 1elk-1em2 1em4-1em5 1em7-1eml 1emo-1en1 1eo0-1ere
1erk-1erm 1err-1esz 1et3-1evi 1evk-1evw 1ew0 1exc-1eyl 1f28-1f30 1f34-1f4g 1f4w-1f5n 1f5s-1f6r
1f71-1f7u 1f80-1f96 1f9c-1fa5 1fa7-1fb7 1fbc-1fbp 1fcw-1fh9 1fhc-1fhl 1fhs-1fir 1fiw-1fjv 1fk0-1fl3
1flc-1fmr 1fn3-1fne 1fng-1fnu 1fnw-1fo2 1fo4-1fo5 1fo7-1foh 1foj-1fox 1foz-1fp5 1fp7-1fp8 1fr4-1fzq
1g00-1g0l 1g0w-1g13 1g1s-1g1x 1g1z-1g34 1g36-1g3e 1g5c-1g5h 1g5k 1g5m-1g6t 1g6v-1g6w 1g70 1g73-1g7p
1g7r-1g9q 1g9z-1ga7 1gbk-1gc2 1gc4-1gc5 1gcb-1gd7 1gdb-1ge1 1ge7 1gg0-1ghj 1gho-1gi7 1gia-1gjn
1gjp-1gjq 1gjw-1gk3 1gk5-1gk7 1gk9-1gl1 1gl4-1gl6 1glb-1glk 1gls-1gm0 1gm8-1gnz 1gow-1gpy 1gq3-1gqe
1gqo-1gs5 1gs9-1gt1 1gt4-1gtu 1gu0-1gup 1gux-1gv0 1gvd-1gvj 1gxs-1gzs 1h1c-1h2q 1h34-1h4i 1h4q-1h5z
1h68-1h6h 1heo-1hfi 1hfk-1hgp 1hgr-1hgt 1hgw-1hgx 1hj1-1hk7 1hkg-1hll 1hm8-1hmx 1ho0-1hor 1hpc-1hpy
1hq8-1hsd 1hsi-1hth 1htr-1hvg 1hvi-1hvm 1hw0-1hwo 1hww-1hx5 1hxc-1hys 1hyu-1hzb 1hzk-1i0m 1i0w-1i3j
1i3l-1i44 1i4g-1i4x 1i4z-1i69 1i80-1i86 1i88 1i8a-1i8d 1i8f-1i8t 1i8v-1i95 1i9c-1iay 1ib4-1ibd
1ibk-1ibn 1ibp-1ibw 1ibz-1ic0 1ic3-1ico 1icq-1icw 1icy-1icz 1id1-1id5 1id7-1idg 1idj-1idk 1idn-1idp
1ids 1idz 1ie5-1ieb 1iee-1iek 1ieo-1ies 1iio-1il7 1il9-1ild 1im8-1io7 1iog-1iop 1itc-1iut 1iuw-1ivx
1iww-1iys 1iz4-1izd 1izk-1izw 1j0g-1j21 1j28-1j2h 1j40-1j4q 1j4t-1j57 1j5c-1j5y 1jb4-1jcr 1jfk-1jhu
1ji7-1jie 1jih 1jik-1jir 1jit-1jiu 1jiw-1jjp 1jjr-1jjs 1jjv-1jk6 1jkg-1jkp 1jmo-1jmv 1jmy-1jo7
1joa-1jok 1jpc-1jrb 1jrk-1jtu 1ju8-1jw8 1jwg-1jwp 1k3k-1k3s 1k3u-1k52 1k54-1k5h 1k5s-1k6k 1k6o-1k7j
1k7m-1k87 1k89-1k8m 1kao-1kau 1kaw-1kax 1kaz-1kc6 1kca 1kcc-1kcd 1kcf-1kcn 1kcw-1kd5 1kdc-1kdh
1kdj-1kdk 1kdm-1kem 1keo-1kep 1ker-1kew 1kf4-1kfd 1ko0-1koo 1kow-1kpc 1kpe-1kqi 1kqm-1krd 1kts
1ku8-1kvl 1kvz-1lll 1log-1lri 1lrk-1lro 1ls0-1lxf 1nyo-1o1e 1o1s-1ovj 1ow0-1owl 1s00-1sg6 1z40-1zjs
1zk0-1zku 1zkw-1zl5 1zla-1zni 1znk-1znt 1zo0-1zot 1zow-1zp1 1zpc-1zr9 1zrk-1zrt 1zrv-1zs1 1zs3-1zsn
1zst-1ztb 20cg-20ey 20hs-20ju 20jz-20lj 20lr-20m7 20o0-20o4 20og-20oh 20ow-25fb 25fk-26dx 26f4-26fc
2dbk-2dbn 2dbp-2dbv 2dbx-2dby 2dc0-2dk2 2dki 2dlc-2dle 2dlh 2dlw-2dlz 2dm8-2dx7 2fpc-2fsa 2fsg-2fss
2fsw-2ft4 2ftc-2ftl 2fto-2ftr 2jgg-2jhp 2jhs-2jie 2jio-2jlv 2jnk-2jud 2juo-2jvq 2jvt-2jxu 2jy3-2k16
2k1s-2k3p 2k74-2k7n 2k80-2k8j 2k8w-2kba 2kbk-2kc8 2kg0-2kic 2kie-2kkc 2kke-2kkf 2kki 2kkl-2kkm
2kkp-2kks 2kku-2kl5 2kl7 2kl9-2klf 2klh-2kn9 2knb-2kne 2knh-2kno 2knq-2knw 2kny-2kop 2kor-2kou
2kow-2kp0 2kp2 2kp6-2kpc 2kpe-2kyt 2kyw-2l6z 2l72-2lqj 2lqz-2lr3 2lr5-2lrj 2mm8-2mn2 2mn9-2mne
2mtc-2mti 2mtk-2mu0 2mu3-2mu9 2mub-2muc 2mue-2mui 2muo-2mwd 2mxb 2n0g-2n1o 2n1s-2n25 2n28-2n2h
2n2m-2n2n 2nbk-2nce 2ncw-2neh 2nen 2nrk-2nsp 2odc-2odi 2odk-2odn 2odp-2odq 2ods-2oe6 2oe8-2ojo
2ojr-2ok6 2olc-2onf 2onk-2ont 2ony-2onz 2p9t-2pbo 2pdt-2pfh 2pkw-2pkz 2pl1-2plr 2plt-2plu 2plw 2plz
2pm1-2pma 2pmc-2pmf 2pmh 2pmj 2pmq 2pmv 2pmx 2pmz 2pn1-2pn3 2pn5-2pn6 2pn8 2pnb 2pnd 2pnf 2pnh 2pnj
2pnl-2pnm 2pno 2pnr-2pnu 2pnw-2po2 2po4-2po7 2po9-2poc 2poe 2pog-2pop 2por-2pp7 2ppd-2ppf 2pph-2ppl
2ppn-2pq3 2prk-2prl 2pz4-2q0b 2q0g-2q37 2q3k-2q3y 2q41-2q4f 2q4h-2q4v 2q4x-2q5x 2q68-2qb1 2qcm-2qde
2qds-2qez 2qf4-2qfc 2qfk-2qfl 2qg0-2qg5 2qkg-2rbr 2rbw-2rcc 2rcg-2rcs 2rcw-2rg6 2rgb-2rix 2rj4-2rjf
2rjk 2rk0-2rkb 2rkg-2rlz 2rm8-2rmh 2rmo-2rnr 2ro0-2rot 2row-2rox 2rr4-2s0j 2s0w-2s19 2s1c-2s1o
2s1s-2s20 2s28-2s3h 2s3j-2s3p 2s3y-2s4b 2s4g-2s4o 2s4w-2s54 2s5c-2s9e 2s9g-2say 2sc0-2sc9 2t4w-3q3j
3q4g-3tbt 3tc0-3ti5 3ti8-3xy9 3xyo-43q8 464g-46jh 47pc-4bii 4bio-4er3 jo5c-jobz
`;

const firsts: number[] = [];
const lasts: number[] = [];
for (const range of RANGES.trim().split(/\s+/)) {
  const [first = '', last = first] = range.split('-');
  firsts.push(Number.parseInt(first, 36));
  lasts.push(Number.parseInt(last, 36));
}

/** Whether Go prints the code point as it is. */
export function isPrintable(code: number): boolean {
  let low = 0;
  let high = firsts.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (code < (firsts[middle] ?? 0)) high = middle - 1;
    else if (code > (lasts[middle] ?? 0)) low = middle + 1;
    else return true;
  }
  return false;
}

/** The few exceptions in the scripts that most names are written in, so that those need no search. */
export const UNPRINTABLE_BELOW_0600: ReadonlySet<number> = new Set(
  Array.from({ length: 0x600 }, (_, code) => code).filter((code) => !isPrintable(code)),
);
